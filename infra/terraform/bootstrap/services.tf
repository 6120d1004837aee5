# What an environment's apply role may do to what runs, and to what starts it.

data "aws_iam_policy_document" "services" {
  for_each = var.environments

  statement {
    sid = "Services"
    actions = [
      "ecs:CreateCluster", "ecs:DeleteCluster", "ecs:DeleteService", "ecs:PutClusterCapacityProviders", "ecs:RegisterTaskDefinition",
      "ecs:TagResource", "ecs:UntagResource",
    ]
    resources = [
      "${local.arn}:ecs:${local.place}:cluster/${local.prefixes[each.key]}",
      "${local.arn}:ecs:${local.place}:service/${local.prefixes[each.key]}/*",
      "${local.arn}:ecs:${local.place}:task-definition/${local.prefixes[each.key]}-*",
    ]
  }

  # What a call names beside its own resource is bound by keys: the one knows what runs, the other where.
  statement {
    sid       = "RunServices"
    actions   = ["ecs:CreateService", "ecs:UpdateService"]
    resources = ["${local.arn}:ecs:${local.place}:service/${local.prefixes[each.key]}/*"]

    condition {
      test     = "ArnLikeIfExists"
      variable = "ecs:task-definition"
      values   = ["${local.arn}:ecs:${local.place}:task-definition/${local.prefixes[each.key]}-*"]
    }
  }

  statement {
    sid       = "RunTasks"
    actions   = ["ecs:RunTask"]
    resources = ["${local.arn}:ecs:${local.place}:task-definition/${local.prefixes[each.key]}-*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = ["${local.arn}:ecs:${local.place}:cluster/${local.prefixes[each.key]}"]
    }
  }

  statement {
    sid       = "TellOfEvents"
    actions   = ["events:PutTargets"]
    resources = ["${local.arn}:events:${local.place}:rule/${local.prefixes[each.key]}-*"]

    condition {
      test     = "ForAllValues:ArnLike"
      variable = "events:TargetArn"
      values   = ["${local.arn}:sns:${local.place}:${local.prefixes[each.key]}-*"]
    }
  }

  statement {
    sid       = "Schedules"
    actions   = ["scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:UpdateSchedule"]
    resources = ["${local.arn}:scheduler:${local.place}:schedule/default/${local.prefixes[each.key]}-*"]
  }
}
