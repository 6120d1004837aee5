# GitHub Actions gets short-lived credentials by OIDC. Who may be which role is decided by what the run's token says of itself:
#   push-image  a run on the main branch
#   plan-<env>  a run on the main branch, or for a pull request of this repository; reads only
#   apply-<env> a run in GitHub's environment <env>, which is where its approvals are asked for

locals {
  issuer   = "token.actions.githubusercontent.com"
  provider = "${local.arn}:iam::${var.account_id}:oidc-provider/${local.issuer}"
  subject  = "repo:${var.github_repository}"

  subjects = merge(
    { push-image = ["${local.subject}:ref:refs/heads/main"] },
    { for env in var.environments : "plan-${env}" => ["${local.subject}:ref:refs/heads/main", "${local.subject}:pull_request"] },
    { for env in var.environments : "apply-${env}" => ["${local.subject}:environment:${env}"] },
  )

  policies = merge(
    { push-image = data.aws_iam_policy_document.push_image.json },
    { for env in var.environments : "plan-${env}" => data.aws_iam_policy_document.plan[env].json },
    { for env in var.environments : "apply-${env}" => data.aws_iam_policy_document.apply[env].json },
  )
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "trust" {
  #checkov:skip=CKV_AWS_358:Subjects are whole and come from the locals above, which checkov does not follow; a test compares them
  for_each = local.subjects

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = each.value
    }
  }
}

resource "aws_iam_role" "github" {
  for_each = local.subjects

  name                 = "${var.name}-${each.key}"
  description          = "GitHub Actions of ${var.github_repository}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "github" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.github[each.key].id
  policy = each.value
}

data "aws_iam_policy_document" "push_image" {
  statement {
    sid       = "LogInToRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # the call knows no resource
  }

  statement {
    sid = "PushImages"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:CompleteLayerUpload",
      "ecr:DescribeImages",
      "ecr:InitiateLayerUpload",
      "ecr:PutImage",
      "ecr:UploadLayerPart",
    ]
    resources = ["${local.arn}:ecr:${local.place}:repository/${var.repository_name}"]
  }
}
