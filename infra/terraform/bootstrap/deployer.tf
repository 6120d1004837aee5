# What planning and applying one environment takes: also the sample for whoever deploys by hand. Rights are bound to names that begin
# with the environment's prefix, or to its tag (network.tf), so one environment's role calls nothing on another's. What a call can name beside
# its resource, AWS binds by keys or not at all: docs/deploy.md says what is left, and tests/infra/test_deployers.py lists it.

locals {
  # Calls that read. AWS binds few of them to resources; none returns a reading, a log line or a secret.
  reads = [
    "acm:DescribeCertificate", "acm:ListTagsForCertificate",
    "application-autoscaling:Describe*", "application-autoscaling:ListTagsForResource",
    "athena:GetWorkGroup", "athena:ListTagsForResource",
    "budgets:ListTagsForResource", "budgets:ViewBudget",
    "cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
    "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource",
    "ec2:Describe*",
    "ecs:DescribeClusters", "ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:DescribeTasks",
    "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule",
    "elasticloadbalancing:Describe*",
    "glue:GetDatabase", "glue:GetPartitionIndexes", "glue:GetTable", "glue:GetTags",
    "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies",
    "kinesis:DescribeLimits", "kinesis:DescribeStreamSummary", "kinesis:ListTagsForStream",
    "kms:DescribeKey", # which key is the account's own for DynamoDB
    "logs:DescribeLogGroups", "logs:DescribeMetricFilters", "logs:ListTagsForResource",
    "route53:GetChange", "route53:GetHostedZone", "route53:ListResourceRecordSets",
    "scheduler:GetSchedule",
    "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
    "s3:GetAccelerateConfiguration", "s3:GetReplicationConfiguration",
    "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource",
    "iot:GetTopicRule", "iot:ListTagsForResource", "iot:ListTopicRules",
    "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy",
    "wafv2:GetWebACL", "wafv2:GetWebACLForResource", "wafv2:ListTagsForResource",
  ]

  state_keys = { for env in var.environments : env => "${var.name}/${env}/environment.tfstate" }
  prefixes   = { for env in var.environments : env => "${var.name}-${env}" }
  buckets    = { for env, prefix in local.prefixes : env => "${local.arn}:s3:::${prefix}-*-${var.account_id}" }
  databases  = { for env, prefix in local.prefixes : env => replace(prefix, "-", "_") } # Athena's, which take no dash
}

data "aws_iam_policy_document" "plan" {
  #checkov:skip=CKV_AWS_356:Calls that describe; AWS binds few of them to resources
  for_each = var.environments

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arn}/${local.state_keys[each.key]}"]
  }

  # HeadBucket asks for the same right: the bucket of states, and the environment's own.
  statement {
    sid       = "FindBuckets"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn, local.buckets[each.key]]
  }

  statement {
    sid       = "ReadSettings"
    actions   = local.reads
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "apply" {
  for_each = var.environments

  statement {
    sid       = "WriteState"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket_arn}/${local.state_keys[each.key]}"]
  }

  statement {
    sid       = "LockState"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.bucket_arn}/${local.state_keys[each.key]}.tflock"]
  }

  statement {
    sid = "LogAndTables"
    actions = [
      "dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:TagResource", "dynamodb:UntagResource",
      "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable",
      "kinesis:AddTagsToStream", "kinesis:CreateStream", "kinesis:DeleteStream", "kinesis:RemoveTagsFromStream",
      "kinesis:DecreaseStreamRetentionPeriod", "kinesis:IncreaseStreamRetentionPeriod",
      "kinesis:StartStreamEncryption", "kinesis:StopStreamEncryption",
    ]
    resources = [
      "${local.arn}:kms:${local.place}:key/*", # what a stream is encrypted with is a resource of the same call
      "${local.arn}:dynamodb:${local.place}:table/${local.prefixes[each.key]}-*",
      "${local.arn}:kinesis:${local.place}:stream/${local.prefixes[each.key]}-*",
    ]
  }

  # UpdateShardCount knows no resource: who may call it may reshard every stream of the account. So only where there is one environment;
  # elsewhere a person reshards (docs/runbook.md), and the next plan finds it done.
  dynamic "statement" {
    for_each = length(var.environments) == 1 ? [1] : []

    content {
      sid       = "Reshard"
      actions   = ["kinesis:UpdateShardCount"]
      resources = ["*"]

      condition {
        test     = "StringEquals"
        variable = "aws:RequestedRegion"
        values   = [var.region]
      }
    }
  }

  # `python -m infra.setup --pointer` after each apply: the pointer to the first generation, or what the pointer says is to be there.
  statement {
    sid       = "MakePointer"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem"]
    resources = ["${local.arn}:dynamodb:${local.place}:table/${local.prefixes[each.key]}-generations"]
  }

  statement {
    sid = "Observability"
    actions = [
      "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:EnableAlarmActions", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource", "cloudwatch:UntagResource",
      "events:DeleteRule", "events:PutRule", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
      "budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource",
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteMetricFilter", "logs:PutMetricFilter", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
      "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe",
      "sns:UntagResource",
    ]
    resources = [
      "${local.arn}:budgets::${var.account_id}:budget/${local.prefixes[each.key]}-*",
      "${local.arn}:cloudwatch:${local.place}:alarm:${local.prefixes[each.key]}-*",
      "${local.arn}:cloudwatch::${var.account_id}:dashboard/${local.prefixes[each.key]}",
      "${local.arn}:events:${local.place}:rule/${local.prefixes[each.key]}-*",
      "${local.arn}:logs:${local.place}:log-group:/${local.prefixes[each.key]}/*",
      "${local.arn}:sns:${local.place}:${local.prefixes[each.key]}-*",
    ]
  }

  # The archive, where Athena's answers lie, and the logs of network and load balancer.
  statement {
    sid = "Buckets"
    actions = [
      "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
    ]
    resources = [local.buckets[each.key]]
  }

  # Answers and logs may go with their buckets. Nothing of the archive may: it is emptied by a person.
  statement {
    sid     = "ThrowAnswersAndLogsAway"
    actions = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions"]
    resources = [
      for place in setproduct(["athena", "logs"], ["", "/*"]) : "${local.arn}:s3:::${local.prefixes[each.key]}-${place[0]}-${var.account_id}${place[1]}"
    ]
  }

  # Glue asks for each call's rights on all that lies above what is called for; deleting a database, for those on all in it (Glue
  # Developer Guide, "Access control in AWS Glue", Data Catalog ARNs; API reference, DeleteDatabase).
  statement {
    sid = "Athena"
    actions = [
      "athena:CreateWorkGroup", "athena:DeleteWorkGroup", "athena:TagResource", "athena:UntagResource", "athena:UpdateWorkGroup",
      "glue:CreateDatabase", "glue:CreateTable", "glue:DeleteDatabase", "glue:DeleteTable", "glue:TagResource",
      "glue:UntagResource", "glue:UpdateDatabase", "glue:UpdateTable",
    ]
    resources = [
      "${local.arn}:athena:${local.place}:workgroup/${local.prefixes[each.key]}-*",
      "${local.arn}:glue:${local.place}:catalog",
      "${local.arn}:glue:${local.place}:database/${local.databases[each.key]}",
      "${local.arn}:glue:${local.place}:table/${local.databases[each.key]}/*",
      "${local.arn}:glue:${local.place}:userDefinedFunction/${local.databases[each.key]}/*",
    ]
  }

  # A role that is made here can do no more than the boundary allows, so applying is no way to become administrator.
  statement {
    sid       = "MakeBoundedRoles"
    actions   = ["iam:CreateRole", "iam:PutRolePolicy"]
    resources = ["${local.arn}:iam::${var.account_id}:role/${local.prefixes[each.key]}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = ["${local.arn}:iam::${var.account_id}:policy/${local.prefixes[each.key]}-boundary"]
    }
  }

  statement {
    sid = "KeepRoles"
    actions = [
      "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    ]
    resources = ["${local.arn}:iam::${var.account_id}:role/${local.prefixes[each.key]}-*"]
  }

  statement {
    sid       = "HandOverRoles"
    actions   = ["iam:PassRole"]
    resources = ["${local.arn}:iam::${var.account_id}:role/${local.prefixes[each.key]}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com", "iot.amazonaws.com", "scheduler.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
    }
  }

  statement {
    sid       = "FirstServiceOfItsKind"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["${local.arn}:iam::${var.account_id}:role/aws-service-role/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com"]
    }
  }

  # The log has no deletion protection of its own. To take such an environment down, a person takes its name out of
  # `protected_environments` here first.
  dynamic "statement" {
    for_each = contains(var.protected_environments, each.key) ? [1] : []

    content {
      sid    = "KeepTheLog"
      effect = "Deny"
      actions = [
        "dynamodb:DeleteTable", "kinesis:DecreaseStreamRetentionPeriod", "kinesis:DeleteStream", "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
      ]
      resources = ["*"]
    }
  }
}
