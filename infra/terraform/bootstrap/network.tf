# What an environment's apply role may do to network and edge. AWS gives these things ids that nobody can tell beforehand, so tags
# bind them: whatever is made has to bear the environment's tag, and only what bears it may be touched.

locals {
  ec2      = "${local.arn}:ec2:${local.place}"
  new_tag  = "aws:RequestTag/Environment"
  old_tag  = "aws:ResourceTag/Environment"
  balancer = { for env, prefix in local.prefixes : env => "${local.arn}:elasticloadbalancing:${local.place}" }
}

data "aws_iam_policy_document" "network" {
  for_each = var.environments

  # Four statements, because a condition on the new thing's tag holds for all that a call touches: none of these calls may find, among
  # its own statement's resources, a thing that is there already.
  dynamic "statement" {
    for_each = {
      Whole = [["AllocateAddress", "CreateInternetGateway", "CreateVpc"], ["elastic-ip", "internet-gateway", "vpc"]]
      InVpc = [["CreateRouteTable", "CreateSecurityGroup", "CreateSubnet"], ["route-table", "security-group", "subnet"]]
      Ways = [
        ["AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateNatGateway", "CreateVpcEndpoint"],
        ["natgateway", "security-group-rule", "vpc-endpoint"],
      ]
      Logs = [["CreateFlowLogs"], ["vpc-flow-log"]]
    }

    content {
      sid       = "New${statement.key}"
      actions   = [for call in statement.value[0] : "ec2:${call}"]
      resources = [for kind in statement.value[1] : "${local.ec2}:${kind}/*"]

      condition {
        test     = "StringEquals"
        variable = local.new_tag
        values   = [each.key]
      }
    }
  }

  statement {
    sid = "OwnNetwork"
    actions = [
      for call in [
        "AssociateRouteTable", "AttachInternetGateway", "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateFlowLogs",
        "CreateNatGateway", "CreateRoute", "CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpcEndpoint", "DeleteFlowLogs",
        "DeleteInternetGateway", "DeleteNatGateway", "DeleteRoute", "DeleteRouteTable", "DeleteSecurityGroup", "DeleteSubnet", "DeleteTags",
        "DeleteVpc", "DeleteVpcEndpoints", "DetachInternetGateway", "DisassociateAddress", "DisassociateRouteTable",
        "ModifySecurityGroupRules", "ModifySubnetAttribute", "ModifyVpcAttribute", "ModifyVpcEndpoint", "ReleaseAddress", "ReplaceRoute",
        "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress",
      ] : "ec2:${call}"
    ]
    resources = ["${local.ec2}:*/*"]

    condition {
      test     = "StringEquals"
      variable = local.old_tag
      values   = [each.key]
    }
  }

  # While a thing is made; own things; and a VPC's default security group, which comes without tags and is closed.
  dynamic "statement" {
    for_each = {
      OnTheWay = { resources = ["${local.ec2}:*/*"], test = "StringLike", variable = "ec2:CreateAction", value = "*" }
      Own      = { resources = ["${local.ec2}:*/*"], test = "StringEquals", variable = local.old_tag, value = each.key }
      Bare     = { resources = ["${local.ec2}:security-group/*"], test = "Null", variable = local.old_tag, value = "true" }
    }

    content {
      sid       = "Tag${statement.key}"
      actions   = ["ec2:CreateTags"]
      resources = statement.value.resources

      condition {
        test     = statement.key == "Own" ? "StringEqualsIfExists" : "StringEquals"
        variable = local.new_tag
        values   = [each.key]
      }

      condition {
        test     = statement.value.test
        variable = statement.value.variable
        values   = [statement.value.value]
      }
    }
  }

  # These are called by names.
  statement {
    sid = "Edge"
    actions = [
      for call in [
        "AddTags", "CreateListener", "CreateLoadBalancer", "CreateTargetGroup", "DeleteListener", "DeleteLoadBalancer", "DeleteTargetGroup",
        "ModifyListener", "ModifyListenerAttributes", "ModifyLoadBalancerAttributes", "ModifyTargetGroup", "ModifyTargetGroupAttributes",
        "RemoveTags", "SetSecurityGroups", "SetSubnets",
      ] : "elasticloadbalancing:${call}"
    ]
    resources = [
      "${local.balancer[each.key]}:listener/app/${local.prefixes[each.key]}/*",
      "${local.balancer[each.key]}:loadbalancer/app/${local.prefixes[each.key]}/*",
      "${local.balancer[each.key]}:targetgroup/${local.prefixes[each.key]}-*/*",
    ]
  }

  statement {
    sid       = "NewScaling"
    actions   = ["application-autoscaling:RegisterScalableTarget"]
    resources = ["${local.arn}:application-autoscaling:${local.place}:scalable-target/*"]

    condition {
      test     = "StringEquals"
      variable = local.new_tag
      values   = [each.key]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = local.old_tag
      values   = [each.key]
    }
  }

  statement {
    sid = "OwnScaling"
    actions = [
      for call in ["DeleteScalingPolicy", "DeregisterScalableTarget", "PutScalingPolicy", "RegisterScalableTarget", "TagResource", "UntagResource"] :
      "application-autoscaling:${call}"
    ]
    resources = ["${local.arn}:application-autoscaling:${local.place}:scalable-target/*"]

    condition {
      test     = "StringEquals"
      variable = local.old_tag
      values   = [each.key]
    }
  }

  # Route 53 lets a condition name records: its own host name, and below it what proves the certificate (IAM policy conditions for
  # fine-grained access control, Route 53 Developer Guide).
  dynamic "statement" {
    for_each = { for env, domain in var.domains : env => domain if env == each.key }

    content {
      sid       = "NameTheApi"
      actions   = ["route53:ChangeResourceRecordSets"]
      resources = ["${local.arn}:route53:::hostedzone/${statement.value.zone_id}"]

      condition {
        test     = "ForAllValues:StringLike"
        variable = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
        values   = [statement.value.name, "_*.${statement.value.name}"]
      }
    }
  }

  dynamic "statement" {
    for_each = { for env, domain in var.domains : env => domain if env == each.key }

    content {
      sid       = "NewCertificate"
      actions   = ["acm:AddTagsToCertificate", "acm:RequestCertificate"]
      resources = ["*"] # a certificate that is asked for is no resource yet

      condition {
        test     = "StringEquals"
        variable = local.new_tag
        values   = [each.key]
      }

      condition {
        test     = "StringEqualsIfExists"
        variable = local.old_tag
        values   = [each.key]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:RequestedRegion"
        values   = [var.region]
      }
    }
  }

  dynamic "statement" {
    for_each = { for env, domain in var.domains : env => domain if env == each.key }

    content {
      sid       = "OwnCertificate"
      actions   = ["acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"]
      resources = ["${local.arn}:acm:${local.place}:certificate/*"]

      condition {
        test     = "StringEquals"
        variable = local.old_tag
        values   = [each.key]
      }
    }
  }

  # An interface endpoint's private names lie in a zone that AWS keeps for it (AWS PrivateLink Guide, "Create an interface endpoint").
  dynamic "statement" {
    for_each = contains(var.endpoint_environments, each.key) ? [1] : []

    content {
      sid       = "NamesOfEndpoints"
      actions   = ["route53:AssociateVPCWithHostedZone"]
      resources = ["${local.arn}:route53:::hostedzone/*"]
    }
  }
}
