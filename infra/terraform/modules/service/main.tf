# One process as an ECS service on Fargate: API, consumer and archivers are such ones, on two images of one tag.

data "aws_region" "current" {}

locals {
  temporary = "tmp"
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts logs with its own key; a key of ours costs a dollar a month and is one more way to lose them
  name              = var.log_group_name
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_task_definition" "this" {
  family                   = "${var.prefix}-${var.name}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn

  # A revision that is replaced stays: to take it away is a right over those of all environments, and it costs nothing.
  skip_destroy = true

  tags = { Revision = reverse(split(":", var.image))[0] }

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = { arm64 = "ARM64", amd64 = "X86_64" }[var.architecture]
  }

  # Fargate has no tmpfs: /tmp is a volume on the task's own encrypted disk, gone with the task. It gets the owner and mode that
  # the image's /tmp has, if the image declares it with VOLUME; otherwise it would belong to root.
  volume {
    name = local.temporary
  }

  container_definitions = jsonencode([{
    name                   = var.name
    image                  = var.image
    essential              = true
    cpu                    = var.cpu # KCL divides what it uses by the container's own limit, which is 0 unless it is set
    entryPoint             = var.entry_point
    command                = var.command
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    stopTimeout            = var.stop_timeout_s
    environment            = [for name, value in var.environment : { name = name, value = value }]
    mountPoints            = [{ sourceVolume = local.temporary, containerPath = "/tmp", readOnly = false }]
    portMappings           = var.port == null ? [] : [{ containerPort = var.port, hostPort = var.port, protocol = "tcp" }]
    volumesFrom            = []
    systemControls         = []
    healthCheck = {
      command     = var.health_command
      interval    = 30 # each starts an interpreter
      timeout     = 10
      retries     = 3
      startPeriod = var.start_period_s
    }
    # The first process reaps what the daemon leaves behind.
    linuxParameters = { initProcessEnabled = true, capabilities = { add = [], drop = ["ALL"] } }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = var.name
        # A full log must not stop the process; 4 MB wait for CloudWatch.
        mode            = "non-blocking"
        max-buffer-size = "4m"
      }
    }
  }])
}

resource "aws_security_group" "this" {
  name        = "${var.prefix}-${var.name}"
  description = "The ${var.name}: out to AWS, in from nobody but the load balancer, if it has one"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.prefix}-${var.name}" }
}

# AWS's addresses are many and change: HTTPS to anywhere is as narrow as a security group can say it.
resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "HTTPS to AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  count = var.load_balancer == null ? 0 : 1

  security_group_id            = aws_security_group.this.id
  description                  = "From the load balancer"
  referenced_security_group_id = var.load_balancer.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  count = var.load_balancer == null ? 0 : 1

  security_group_id            = var.load_balancer.security_group_id
  description                  = "To the ${var.name}"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
}

resource "aws_ecs_service" "this" {
  name                              = var.name
  cluster                           = var.cluster_arn
  task_definition                   = aws_ecs_task_definition.this.arn
  desired_count                     = var.tasks_min
  propagate_tags                    = "SERVICE"
  health_check_grace_period_seconds = var.load_balancer == null ? null : var.start_period_s

  deployment_minimum_healthy_percent = var.deployment.minimum_percent
  deployment_maximum_percent         = var.deployment.maximum_percent

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  capacity_provider_strategy {
    capacity_provider = var.capacity
    weight            = 1
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.assign_public_ip
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer[*]

    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = var.name
      container_port   = var.port
    }
  }

  lifecycle {
    ignore_changes = [desired_count] # autoscaling's
  }

  # Out to AWS before the first task starts, or it cannot fetch its image.
  depends_on = [aws_vpc_security_group_egress_rule.https, var.after]
}
