mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix             = "t"
  cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/t"
  cluster_name       = "t"
  service_name       = "api"
  port               = 8080
  security_group_id  = "sg-1"
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/telemetry-pipeline:abc1234-api"
  architecture       = "arm64"
  capacity           = "FARGATE"
  execution_role_arn = "arn:aws:iam::123456789012:role/t-execution"
  task_role_arn      = "arn:aws:iam::123456789012:role/t-canary"
  scheduler_role_arn = "arn:aws:iam::123456789012:role/t-scheduler"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1"]
  assign_public_ip   = true
  log_group_name     = "/t/canary"
  log_retention_days = 7
}

run "it_flies_every_five_minutes_and_may_enter_the_api_alone" {
  command = plan
  module { source = "../modules/canary" }

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(5 minutes)" && aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_retry_attempts == 0
    error_message = "One that failed is not tried again: the next one flies soon enough."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.api.security_group_id == "sg-1" && aws_vpc_security_group_ingress_rule.api.from_port == 8080
    error_message = "The API lets it in at its port."
  }
  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : (
      container.readonlyRootFilesystem && container.user == "10001:10001" && container.linuxParameters.capabilities.drop == ["ALL"]
      && container.command[0] == "operations.canary"
    )])
    error_message = "As little as the others."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/canary" }
  variables { every_minutes = 1 }

  expect_failures = [var.every_minutes]
}
