output "bucket" {
  description = "Where the log is kept."
  value       = aws_s3_bucket.archive.bucket
}
