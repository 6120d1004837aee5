output "names" {
  description = "Names of the tables by role, one for each generation."
  value       = { for name, table in var.tables : table.role => aws_dynamodb_table.this[name].name... }
}
