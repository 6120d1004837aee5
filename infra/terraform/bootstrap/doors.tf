# What an environment's apply role may do for those who come in: the places of the first keys, mutual TLS, the firewall, MQTT.

data "aws_iam_policy_document" "doors" {
  for_each = var.environments

  # `python -m infra.first_keys` after each apply: a secret without a value gets a key that is made for it. No right to read one.
  statement {
    sid = "PlacesOfKeys"
    actions = [
      for call in ["CreateSecret", "DeleteSecret", "PutSecretValue", "TagResource", "UntagResource", "UpdateSecret"] : "secretsmanager:${call}"
    ]
    resources = ["${local.arn}:secretsmanager:${local.place}:secret:${local.prefixes[each.key]}-*"]
  }

  statement {
    sid       = "MakeFirstKeys"
    actions   = ["dynamodb:PutItem"]
    resources = ["${local.arn}:dynamodb:${local.place}:table/${local.prefixes[each.key]}-keys"]
  }

  statement {
    sid = "TrustedClients"
    actions = [
      for call in ["AddTags", "CreateTrustStore", "DeleteTrustStore", "ModifyTrustStore", "RemoveTags"] : "elasticloadbalancing:${call}"
    ]
    resources = [
      "${local.balancer[each.key]}:loadbalancer/app/${local.prefixes[each.key]}/*", # what tags are of, as the reference has it
      "${local.balancer[each.key]}:truststore/${local.prefixes[each.key]}/*",
    ]
  }

  # The load balancer reads the authorities' certificates as whoever makes the trust store.
  statement {
    sid       = "ReadAuthorities"
    actions   = ["s3:GetObject"]
    resources = ["${local.arn}:s3:::${local.prefixes[each.key]}-trust-${var.account_id}/*"]
  }

  statement {
    sid       = "Mqtt"
    actions   = [for call in ["CreateTopicRule", "DeleteTopicRule", "ReplaceTopicRule", "TagResource", "UntagResource"] : "iot:${call}"]
    resources = ["${local.arn}:iot:${local.place}:rule/${local.databases[each.key]}_mqtt"] # with the underscores of a database's name
  }

  statement {
    sid     = "Firewall"
    actions = [for call in ["CreateWebACL", "DeleteWebACL", "TagResource", "UntagResource", "UpdateWebACL"] : "wafv2:${call}"]
    resources = [
      "${local.arn}:wafv2:${local.place}:regional/webacl/${local.prefixes[each.key]}/*",
    ]
  }

  # To put it in front of a load balancer, ELB asks for SetWebAcl, which knows no resource: who may call it may change the firewall of
  # every load balancer of the account. So only where there is one environment; elsewhere a person applies `request_limit`.
  dynamic "statement" {
    for_each = length(var.environments) == 1 ? [1] : []

    content {
      sid     = "FirewallInFront"
      actions = ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"]
      resources = [
        "${local.arn}:wafv2:${local.place}:regional/webacl/${local.prefixes[each.key]}/*",
        "${local.balancer[each.key]}:loadbalancer/app/${local.prefixes[each.key]}/*",
      ]
    }
  }

  dynamic "statement" {
    for_each = length(var.environments) == 1 ? [1] : []

    content {
      sid       = "FirewallOfLoadBalancer"
      actions   = ["elasticloadbalancing:SetWebAcl"]
      resources = ["*"]

      condition {
        test     = "StringEquals"
        variable = "aws:RequestedRegion"
        values   = [var.region]
      }
    }
  }
}
