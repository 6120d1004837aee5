# GitHub Actions gets short-lived credentials by OIDC. Who may be which role is decided by what the run's token says of itself:
#   push-image  a run on the main branch
#   plan-<env>  a run on the main branch; unless the environment is protected, also one for a pull request of this repository; reads only
#   apply-<env> a run in GitHub's environment <env>, which is where its approvals are asked for

locals {
  issuer   = "token.actions.githubusercontent.com"
  provider = "${local.arn}:iam::${var.account_id}:oidc-provider/${local.issuer}"

  # Repositories that were made or renamed since 15 July 2026 are called by names and numbers, of which only the numbers never change
  # hands (GitHub's documentation, "OpenID Connect reference", subject claims).
  called = split("/", var.github_repository)
  subject = var.github_ids == null ? "repo:${var.github_repository}" : (
    "repo:${local.called[0]}@${var.github_ids.owner}/${local.called[1]}@${var.github_ids.repository}"
  )

  on_main         = "${local.subject}:ref:refs/heads/main"
  on_pull_request = "${local.subject}:pull_request"

  subjects = merge(
    { push-image = [local.on_main] },
    { for env in var.environments : "plan-${env}" => concat([local.on_main], contains(var.protected_environments, env) ? [] : [local.on_pull_request]) },
    { for env in var.environments : "apply-${env}" => ["${local.subject}:environment:${env}"] },
  )

  # By role: the names of its policies.
  policies = merge(
    { push-image = ["push-image"] },
    { for env in var.environments : "plan-${env}" => ["plan-${env}"] },
    {
      for env in var.environments :
      "apply-${env}" => ["plan-${env}", "apply-${env}", "apply-${env}-services", "apply-${env}-network", "apply-${env}-doors"]
    },
  )

  documents = merge(
    { push-image = data.aws_iam_policy_document.push_image.json },
    { for env in var.environments : "plan-${env}" => data.aws_iam_policy_document.plan[env].json },
    { for env in var.environments : "apply-${env}" => data.aws_iam_policy_document.apply[env].json },
    { for env in var.environments : "apply-${env}-services" => data.aws_iam_policy_document.services[env].json },
    { for env in var.environments : "apply-${env}-network" => data.aws_iam_policy_document.network[env].json },
    { for env in var.environments : "apply-${env}-doors" => data.aws_iam_policy_document.doors[env].json },
  )

  attachments = merge([for role, names in local.policies : { for name in names : "${role} ${name}" => { role = role, policy = name } }]...)
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

# Managed ones: a role's inline policies have 10,240 characters together, each of these 6,144.
resource "aws_iam_policy" "github" {
  for_each = local.documents

  name   = "${var.name}-${each.key}"
  policy = each.value
}

resource "aws_iam_role_policy_attachment" "github" {
  for_each = local.attachments

  role       = aws_iam_role.github[each.value.role].name
  policy_arn = aws_iam_policy.github[each.value.policy].arn
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
