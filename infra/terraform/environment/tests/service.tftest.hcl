mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix             = "t"
  name               = "api"
  cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/t"
  cluster_name       = "t"
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/telemetry-pipeline:abc1234"
  entry_point        = ["python", "-m"]
  command            = ["producer_api"]
  health_command     = ["CMD", "true"]
  environment        = { PREFIX = "t" }
  architecture       = "arm64"
  capacity           = "FARGATE"
  cpu                = 256
  memory             = 512
  stop_timeout_s     = 60
  start_period_s     = 30
  execution_role_arn = "arn:aws:iam::123456789012:role/t-execution"
  task_role_arn      = "arn:aws:iam::123456789012:role/t-api"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1"]
  assign_public_ip   = true
  log_group_name     = "/t/api"
  log_retention_days = 7
  tasks_min          = 1
  tasks_max          = 2
  scaling            = { lag = { namespace = "t", name = "ProjectionLag" } }
}

run "hardened" {
  command = plan
  module { source = "../modules/service" }

  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : (
      container.readonlyRootFilesystem && container.user == "10001:10001" && container.linuxParameters.initProcessEnabled
      && container.linuxParameters.capabilities.drop == ["ALL"] && container.stopTimeout == 60
      && container.mountPoints[0].containerPath == "/tmp" && container.cpu == 256
    )])
    error_message = "Read-only root with a /tmp, no root, no capabilities, time to stop."
  }
  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "A deployment that does not become healthy is rolled back."
  }
  assert {
    condition     = aws_ecs_task_definition.this.runtime_platform[0].cpu_architecture == "ARM64" && one(aws_ecs_service.this.capacity_provider_strategy).capacity_provider == "FARGATE"
    error_message = "On what its image is built for."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.load_balancer) == 0
    error_message = "Without a load balancer nobody may call."
  }
}

run "lag_scales_by_one_and_within_bounds" {
  command = plan
  module { source = "../modules/service" }

  assert {
    condition     = { for step, policy in aws_appautoscaling_policy.lag : step => policy.step_scaling_policy_configuration[0].step_adjustment[*].scaling_adjustment } == { in = tolist([-1]), out = tolist([1]) }
    error_message = "One worker more while it lags, one fewer when it has long not."
  }
  assert {
    condition     = aws_appautoscaling_target.this.max_capacity == 2 && length(aws_appautoscaling_policy.cpu) == 0
    error_message = "Lag alone, up to tasks_max."
  }
}

run "one_goes_before_the_next_comes" {
  command = plan
  module { source = "../modules/service" }
  variables {
    name       = "archiver-1"
    scaling    = {}
    tasks_max  = 1
    deployment = { minimum_percent = 0, maximum_percent = 100 }
  }

  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 0 && aws_ecs_service.this.deployment_maximum_percent == 100
    error_message = "As the archiver is deployed."
  }
  assert {
    condition     = length(aws_appautoscaling_policy.lag) + length(aws_appautoscaling_policy.cpu) + length(aws_appautoscaling_policy.requests) == 0
    error_message = "Nothing changes the number of its tasks."
  }
}

run "behind_a_load_balancer" {
  command = plan
  module { source = "../modules/service" }
  variables {
    port          = 8080
    load_balancer = { security_group_id = "sg-1", target_group_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/t/1", resource_label = "app/t/1/targetgroup/t/1" }
    scaling       = { cpu_percent = 60, requests_per_minute = 6000 }
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.load_balancer[0].referenced_security_group_id == "sg-1" && aws_vpc_security_group_ingress_rule.load_balancer[0].from_port == 8080
    error_message = "Only the load balancer may call."
  }
  assert {
    condition     = length(aws_appautoscaling_policy.cpu) == 1 && length(aws_appautoscaling_policy.requests) == 1 && length(aws_appautoscaling_policy.lag) == 0
    error_message = "CPU and requests."
  }
}

run "mistakes_are_named" {
  command = plan
  module { source = "../modules/service" }
  variables {
    name           = "API 1"
    image          = "telemetry-pipeline:latest"
    health_command = ["true"]
    architecture   = "x86"
    capacity       = "EC2"
    memory         = 128
    stop_timeout_s = 300
    tasks_min      = 0
    deployment     = { minimum_percent = 100, maximum_percent = 100 }
  }

  expect_failures = [var.name, var.image, var.health_command, var.architecture, var.capacity, var.memory, var.stop_timeout_s, var.tasks_min, var.deployment]
}

run "more_tasks_at_least_than_at_most_is_a_mistake" {
  command = plan
  module { source = "../modules/service" }
  variables { tasks_min = 3 }

  expect_failures = [var.tasks_max]
}
