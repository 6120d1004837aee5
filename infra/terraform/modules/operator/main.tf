# A task for what operators type that may take hours: `telemetry rebuild`, `verify`, `promote` and so on (docs/runbook.md, "Rebuild").
# It has no service: nobody starts it but an operator, by RunTask, who overrides its command.

data "aws_region" "current" {}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with its own key
  name              = var.log_group_name
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.prefix}-operator"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn
  skip_destroy             = true # as in modules/service

  tags = { Revision = reverse(split(":", var.image))[0] }

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = { arm64 = "ARM64", amd64 = "X86_64" }[var.architecture]
  }

  ephemeral_storage {
    size_in_gib = var.storage_gib
  }

  # As in modules/service; `telemetry verify` spills there.
  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([{
    name                   = "operator"
    image                  = var.image
    essential              = true
    cpu                    = var.cpu # KCL divides what it uses by it
    entryPoint             = ["python", "-m"]
    command                = ["cli", "generations"] # which changes nothing, where nobody says what is to be done
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    stopTimeout            = 60 # as the consumer's, which a rebuild runs
    environment            = [for name, value in var.environment : { name = name, value = value }]
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    portMappings           = []
    volumesFrom            = []
    systemControls         = []
    linuxParameters        = { initProcessEnabled = true, capabilities = { add = [], drop = ["ALL"] } }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = "operator"
      }
    }
  }])
}
