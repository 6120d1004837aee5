mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix      = "t"
  account_id  = "123456789012"
  stream_name = "t-temperature-events"
  table_names = {
    readings    = ["t-temperature-readings-g1"], stats = ["t-temperature-stats-g1"], dead_letters = ["t-dead-letters"]
    generations = ["t-generations"], leases = ["t-projector-g1"], coordinator = ["t-projector-g1-CoordinatorState"]
    workers     = ["t-projector-g1-WorkerMetricStats"]
  }
  index_names     = { leases = "LeaseOwnerToLeaseKeyIndex", stats = "BySeen" }
  repository_name = "telemetry-pipeline"
  log_group_names = ["/t/api", "/t/consumer"]
}

# The statements themselves are checked by tests/infra/test_policies.py, against calls that were recorded.
run "one_role_per_process" {
  command = plan
  module { source = "../modules/permissions" }

  assert {
    condition     = { for process, role in aws_iam_role.process : process => role.name } == { api = "t-api", consumer = "t-consumer", execution = "t-execution" }
    error_message = "API, consumer and Fargate's agent share no role."
  }
}

run "bounded" {
  command = plan
  module { source = "../modules/permissions" }
  variables { permissions_boundary = "arn:aws:iam::123456789012:policy/telemetry-boundary" }

  assert {
    condition     = alltrue([for role in aws_iam_role.process : role.permissions_boundary == var.permissions_boundary])
    error_message = "The boundary holds for every role."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/permissions" }
  variables {
    table_names = { readings = [], stats = [], dead_letters = [], generations = [], leases = [], coordinator = [] }
    index_names = { leases = "LeaseOwnerToLeaseKeyIndex" }
  }

  expect_failures = [var.table_names, var.index_names]
}
