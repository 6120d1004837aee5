mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix             = "t"
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/telemetry-pipeline:abc1234-consumer"
  architecture       = "arm64"
  environment        = { ARCHIVE_TARGET = "s3://t-archive-123456789012" }
  execution_role_arn = "arn:aws:iam::123456789012:role/t-execution"
  task_role_arn      = "arn:aws:iam::123456789012:role/t-operator"
  log_group_name     = "/t/operator"
  log_retention_days = 7
  cpu                = 2048
  memory             = 8192
  storage_gib        = 100
}

run "it_waits_for_an_operator_with_room_on_its_disk" {
  command = plan
  module { source = "../modules/operator" }

  assert {
    condition     = aws_ecs_task_definition.this.family == "t-operator" && aws_ecs_task_definition.this.ephemeral_storage[0].size_in_gib == 100
    error_message = "Where verify spills."
  }
  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : (
      container.readonlyRootFilesystem && container.user == "10001:10001" && container.linuxParameters.capabilities.drop == ["ALL"]
      && container.mountPoints[0].containerPath == "/tmp" && container.cpu == 2048 && container.command == ["cli", "generations"]
      && container.environment == [{ name = "ARCHIVE_TARGET", value = "s3://t-archive-123456789012" }]
    )])
    error_message = "As little as the others, and a command that changes nothing."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/operator" }
  variables { storage_gib = 20 }

  expect_failures = [var.storage_gib]
}
