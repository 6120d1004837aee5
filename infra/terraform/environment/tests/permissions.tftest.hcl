mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix      = "t"
  account_id  = "123456789012"
  stream_name = "t-temperature-events"
  table_names = {
    readings    = ["t-temperature-readings-g1"], stats = ["t-temperature-stats-g1"], dead_letters = ["t-dead-letters-g1"]
    generations = ["t-generations"], leases = ["t-projector-g1"], coordinator = ["t-projector-g1-CoordinatorState"]
    workers     = ["t-projector-g1-WorkerMetricStats"], keys = ["t-keys"]
  }
  index_names     = { leases = "LeaseOwnerToLeaseKeyIndex", stats = "BySeen" }
  repository_name = "telemetry-pipeline"
  registry        = "eu-west-1:123456789012"
  log_group_names = ["/t/api", "/t/consumer"]
}

# The statements themselves are checked by tests/infra/test_policies.py, against calls that were recorded.
run "one_role_per_process" {
  command = plan
  module { source = "../modules/permissions" }

  assert {
    condition     = { for process, role in aws_iam_role.process : process => role.name } == { api = "t-api", consumer = "t-consumer", execution = "t-execution", operator = "t-operator" }
    error_message = "API, consumer, operator and Fargate's agent share no role."
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

run "an_archiver_has_a_role_where_there_is_an_archive" {
  command = plan
  module { source = "../modules/permissions" }
  variables { archive_bucket = { name = "t-archive-123456789012", kms_key_arn = null } }

  assert {
    condition     = keys(aws_iam_role.process) == ["api", "archiver", "consumer", "execution", "operator"]
    error_message = "Of its own."
  }
  assert {
    condition     = toset(flatten([for statement in data.aws_iam_policy_document.archiver[0].statement : statement.actions if statement.sid != "ReadLog"])) == toset(["s3:GetObject", "s3:ListBucket", "s3:PutObject"])
    error_message = "List, get and put; nothing of KMS without a key."
  }
}

run "a_key_may_be_used_by_s3_alone" {
  command = plan
  module { source = "../modules/permissions" }
  variables {
    archive_bucket = { name = "t-archive-123456789012", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition = one([for statement in data.aws_iam_policy_document.archiver[0].statement : [
      toset(statement.actions), one(statement.resources), one(statement.condition[*].variable), one(one(statement.condition[*].values))
    ] if statement.sid == "EncryptByS3Alone"]) == [toset(["kms:Decrypt", "kms:GenerateDataKey"]), var.archive_bucket.kms_key_arn, "kms:ViaService", "s3.eu-west-1.amazonaws.com"]
    error_message = "That key, and only on S3's behalf."
  }
  assert {
    condition = one([for statement in data.aws_iam_policy_document.operator.statement : [
      toset(statement.actions), one(statement.resources), one(statement.condition[*].variable), one(one(statement.condition[*].values))
    ] if statement.sid == "DecryptByS3Alone"]) == [toset(["kms:Decrypt"]), var.archive_bucket.kms_key_arn, "kms:ViaService", "s3.eu-west-1.amazonaws.com"]
    error_message = "An operator reads with it."
  }
}

run "awss_own_agents_have_roles_of_their_own" {
  command = plan
  module { source = "../modules/permissions" }
  variables {
    canary    = true
    flow_logs = true
  }

  assert {
    condition     = keys(aws_iam_role.process) == ["api", "canary", "consumer", "execution", "flow-logs", "operator", "scheduler"]
    error_message = "Where there is something for them to do."
  }
  assert {
    condition = { for role, document in data.aws_iam_policy_document.trust : role => tolist(tolist(document.statement)[0].principals)[0].identifiers if !contains(["api", "consumer", "execution", "operator"], role) } == {
      canary = toset(["ecs-tasks.amazonaws.com"]), flow-logs = toset(["vpc-flow-logs.amazonaws.com"]), scheduler = toset(["scheduler.amazonaws.com"])
    }
    error_message = "Nobody else becomes them."
  }
}

run "the_canarys_keys_are_handed_over" {
  command = plan
  module { source = "../modules/permissions" }
  variables {
    canary = true
    keys   = true
  }

  assert {
    condition = one([for statement in data.aws_iam_policy_document.execution.statement : one(statement.resources) if statement.sid == "HandKeysToCanary"]) == (
      "arn:aws:secretsmanager:eu-west-1:123456789012:secret:t-canary-keys-??????"
    )
    error_message = "Fargate's agent may fetch those, and nobody any other."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/permissions" }
  variables {
    table_names = { readings = [], stats = [], dead_letters = [], generations = [], keys = [], leases = [], coordinator = [] }
    index_names = { leases = "LeaseOwnerToLeaseKeyIndex" }
  }

  expect_failures = [var.table_names, var.index_names]
}
