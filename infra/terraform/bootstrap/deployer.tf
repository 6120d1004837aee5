# What applying and destroying one environment takes: also the sample for whoever deploys by hand. Rights are bound to names that
# begin with the environment's prefix wherever AWS knows such a bound, so one environment's role cannot touch another's.

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
    "ecs:DescribeClusters", "ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:ListTagsForResource",
    "elasticloadbalancing:Describe*",
    "glue:GetDatabase", "glue:GetPartitionIndexes", "glue:GetTable", "glue:GetTags",
    "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies",
    "kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:ListTagsForStream",
    "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:DescribeMetricFilters", "logs:ListTagsForResource",
    "route53:GetChange", "route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ListTagsForResource",
    "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
    "s3:GetAccelerateConfiguration", "s3:GetReplicationConfiguration",
    "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource",
  ]

  state_keys = { for env in var.environments : env => "telemetry/${env}/environment.tfstate" }
  prefixes   = { for env in var.environments : env => "${var.name}-${env}" }
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

  statement {
    sid       = "FindStates"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]
  }

  statement {
    sid       = "ReadSettings"
    actions   = local.reads
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "apply" {
  for_each = var.environments

  source_policy_documents = [data.aws_iam_policy_document.plan[each.key].json]

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
      "kinesis:StartStreamEncryption", "kinesis:StopStreamEncryption", "kinesis:UpdateShardCount",
    ]
    resources = [
      "${local.arn}:dynamodb:${local.place}:table/${local.prefixes[each.key]}-*",
      "${local.arn}:kinesis:${local.place}:stream/${local.prefixes[each.key]}-*",
    ]
  }

  # `python -m infra.setup` after each apply: the pointer to the first generation, or what the pointer says is to be there.
  statement {
    sid       = "MakePointer"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem"]
    resources = ["${local.arn}:dynamodb:${local.place}:table/${local.prefixes[each.key]}-generations"]
  }

  statement {
    sid = "Services"
    actions = [
      "ecs:CreateCluster", "ecs:CreateService", "ecs:DeleteCluster", "ecs:DeleteService", "ecs:TagResource", "ecs:UntagResource",
      "ecs:UpdateService",
    ]
    resources = [
      "${local.arn}:ecs:${local.place}:cluster/${local.prefixes[each.key]}",
      "${local.arn}:ecs:${local.place}:service/${local.prefixes[each.key]}/*",
      "${local.arn}:ecs:${local.place}:task-definition/${local.prefixes[each.key]}-*",
    ]
  }

  statement {
    sid = "Observability"
    actions = [
      "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource", "cloudwatch:UntagResource",
      "budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource",
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteMetricFilter", "logs:PutMetricFilter", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
      "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe",
      "sns:UntagResource",
    ]
    resources = [
      "${local.arn}:budgets::${var.account_id}:budget/${local.prefixes[each.key]}-*",
      "${local.arn}:cloudwatch:${local.place}:alarm:${local.prefixes[each.key]}-*",
      "${local.arn}:cloudwatch::${var.account_id}:dashboard/${local.prefixes[each.key]}",
      "${local.arn}:logs:${local.place}:log-group:/${local.prefixes[each.key]}/*",
      "${local.arn}:sns:${local.place}:${local.prefixes[each.key]}-*",
    ]
  }

  # The archive, and where Athena's answers lie.
  statement {
    sid = "Buckets"
    actions = [
      "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
    ]
    resources = [for use in ["archive", "athena"] : "${local.arn}:s3:::${local.prefixes[each.key]}-${use}-${var.account_id}"]
  }

  # Answers may go with their bucket. Nothing of the archive may: it is emptied by a person.
  statement {
    sid     = "ThrowAnswersAway"
    actions = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions"]
    resources = [
      for place in ["", "/*"] : "${local.arn}:s3:::${local.prefixes[each.key]}-athena-${var.account_id}${place}"
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
      values   = ["${local.arn}:iam::${var.account_id}:policy/${var.name}-boundary"]
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
      values   = ["ecs-tasks.amazonaws.com"]
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

  # Ids that AWS gives cannot be told beforehand, so these are bound to the region alone.
  statement {
    sid = "NetworkAndEdge"
    actions = [
      "acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate", "acm:RequestCertificate",
      "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget",
      "application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget",
      "application-autoscaling:TagResource", "application-autoscaling:UntagResource",
      "ec2:AllocateAddress", "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroupEgress",
      "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateRoute",
      "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateTags", "ec2:CreateVpc",
      "ec2:CreateVpcEndpoint", "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable",
      "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
      "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifySecurityGroupRules",
      "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress",
      "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
      "ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition",
      "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer",
      "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer",
      "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:ModifyListener",
      "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyTargetGroup",
      "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:RemoveTags",
      "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  dynamic "statement" {
    for_each = length(var.zone_ids) == 0 ? [] : [1]

    content {
      sid       = "NameTheApi"
      actions   = ["route53:ChangeResourceRecordSets"]
      resources = [for id in var.zone_ids : "${local.arn}:route53:::hostedzone/${id}"]
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

# What roles of processes can have at most.
data "aws_iam_policy_document" "boundary" {
  #checkov:skip=CKV_AWS_356:A boundary grants nothing; each role's own policy names its resources
  #checkov:skip=CKV_AWS_111:As above
  #checkov:skip=CKV_AWS_108:As above
  statement {
    sid = "AtMost"
    actions = [
      "cloudwatch:PutMetricData",
      "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:GetItem",
      "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan",
      "dynamodb:UpdateItem",
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
      "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:PutRecords",
      "kms:Decrypt", "kms:GenerateDataKey",
      "logs:CreateLogStream", "logs:PutLogEvents",
      "s3:GetObject", "s3:ListBucket", "s3:PutObject",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "NeverTheStates"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.bucket_arn, "${local.bucket_arn}/*"]
  }
}

resource "aws_iam_policy" "boundary" {
  name   = "${var.name}-boundary"
  policy = data.aws_iam_policy_document.boundary.json
}
