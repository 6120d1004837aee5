output "bucket" {
  description = "Where the log is kept."
  value       = aws_s3_bucket.archive.bucket
}

output "guarded_bucket" {
  description = "The same, once its policy and settings hold: what is put before would be neither guarded nor versioned."
  value       = aws_s3_bucket.archive.bucket

  depends_on = [
    aws_s3_bucket_object_lock_configuration.archive,
    aws_s3_bucket_policy.archive,
    aws_s3_bucket_server_side_encryption_configuration.archive,
    aws_s3_bucket_versioning.archive,
  ]
}

output "database" {
  description = "Athena's database, in which is the table readings."
  value       = aws_glue_catalog_database.archive.name
}

output "workgroup" {
  description = "Athena's workgroup, which bounds what a query reads."
  value       = aws_athena_workgroup.archive.name
}
