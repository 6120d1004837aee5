# A task that stores a reading and waits until it is counted, every few minutes: what neither load balancer nor lag would show.
# EventBridge Scheduler starts it; a deployment runs it once more (infra/rollout.py).

data "aws_region" "current" {}

locals {
  # Fargate's agent fetches them when a task starts; one that starts before they are there ends, and the next one comes soon.
  secrets = var.keys_secret_arn == null ? [] : [for name in ["API_KEY", "API_READ_KEY"] : {
    name      = name
    valueFrom = "${var.keys_secret_arn}:${name}::"
  }]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with its own key
  name              = var.log_group_name
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.prefix}-canary"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn
  skip_destroy             = true # as in modules/service

  tags = { Revision = reverse(split(":", var.image))[0] }

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = { arm64 = "ARM64", amd64 = "X86_64" }[var.architecture]
  }

  container_definitions = jsonencode([{
    name                   = "canary"
    image                  = var.image
    essential              = true
    cpu                    = 256
    entryPoint             = ["python", "-m"]
    command                = ["operations.canary", "--cluster", var.cluster_name, "--service", var.service_name, "--port", tostring(var.port)]
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    environment            = [{ name = "AWS_REGION", value = data.aws_region.current.name }]
    secrets                = local.secrets
    mountPoints            = []
    portMappings           = []
    volumesFrom            = []
    systemControls         = []
    linuxParameters        = { initProcessEnabled = true, capabilities = { add = [], drop = ["ALL"] } }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = "canary"
      }
    }
  }])
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:The scheduler gives it to each task that it starts
  name        = "${var.prefix}-canary"
  description = "The canary: out to AWS and to the tasks of the API, in from nobody"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.prefix}-canary" }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS to AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "api" {
  security_group_id            = aws_security_group.this.id
  description                  = "To the API"
  referenced_security_group_id = var.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  security_group_id            = var.security_group_id
  description                  = "From the canary"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:What it holds is no secret: a cluster, a task and its network
  name                = "${var.prefix}-canary"
  schedule_expression = "rate(${var.every_minutes} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.cluster_arn
    role_arn = var.scheduler_role_arn

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.this.arn

      capacity_provider_strategy {
        capacity_provider = var.capacity
        weight            = 1
      }

      network_configuration {
        subnets          = var.subnet_ids
        security_groups  = [aws_security_group.this.id]
        assign_public_ip = var.assign_public_ip
      }
    }

    # The next one flies soon enough.
    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }
}
