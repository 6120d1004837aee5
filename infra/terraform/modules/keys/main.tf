# Where the first keys are kept. Terraform makes the places alone: `python -m infra.first_keys` puts the keys there, so that no plan and
# no state holds one.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV_AWS_149:Encrypted with the account's own key for Secrets Manager; a key of ours is one more way to be locked out
  #checkov:skip=CKV2_AWS_57:A key gets another secret by `telemetry keys rotate`, which lets the old one open for a while
  for_each = merge(
    { admin-key = "The first key for admin: with it a person reads everything" },
    { for on in [var.canary] : "canary-keys" => "What the canary stores and asks with" if on },
  )

  name        = "${var.prefix}-${each.key}"
  description = each.value

  # A name is taken for as long as its secret can still be had back.
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}
