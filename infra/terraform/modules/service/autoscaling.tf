resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${aws_ecs_service.this.name}"
  min_capacity       = var.tasks_min
  max_capacity       = var.tasks_max
}

resource "aws_appautoscaling_policy" "cpu" {
  count = var.scaling.cpu_percent == null ? 0 : 1

  name               = "${var.prefix}-${var.name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.scaling.cpu_percent
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  count = var.scaling.requests_per_minute == null ? 0 : 1

  name               = "${var.prefix}-${var.name}-requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.scaling.requests_per_minute
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = var.load_balancer.resource_label
    }
  }
}

# Lag has no target to be held at: it is small or it grows. An idle shard's is up to ten seconds and some, since its mark is renewed
# that often. So one more worker while it grows, one fewer when it has long been gone.
locals {
  lag_steps = var.scaling.lag == null ? {} : {
    out = { adjustment = 1, comparison = "GreaterThanThreshold", threshold_ms = 60000, minutes = 3, cooldown_s = 180 }
    in  = { adjustment = -1, comparison = "LessThanThreshold", threshold_ms = 30000, minutes = 30, cooldown_s = 900 }
  }
}

resource "aws_appautoscaling_policy" "lag" {
  for_each = local.lag_steps

  name               = "${var.prefix}-${var.name}-lag-${each.key}"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = each.value.cooldown_s

    step_adjustment {
      scaling_adjustment          = each.value.adjustment
      metric_interval_lower_bound = each.key == "out" ? "0" : null
      metric_interval_upper_bound = each.key == "in" ? "0" : null
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "lag" {
  for_each = local.lag_steps

  alarm_name          = "${var.prefix}-${var.name}-scale-${each.key}"
  alarm_description   = "Changes the number of workers; nobody needs to act."
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold_ms
  evaluation_periods  = each.value.minutes
  treat_missing_data  = "ignore" # no news is no reason to change anything
  alarm_actions       = [aws_appautoscaling_policy.lag[each.key].arn]

  metric_query {
    id          = "lag"
    return_data = true

    metric {
      namespace   = var.scaling.lag.namespace
      metric_name = var.scaling.lag.name
      stat        = "Maximum"
      period      = 60
    }
  }
}
