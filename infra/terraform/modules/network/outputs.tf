output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Where the load balancer lies."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "task_subnet_ids" {
  description = "Where tasks lie."
  value       = [for subnet in(var.egress == "public_ip" ? aws_subnet.public : aws_subnet.private) : subnet.id]
}

output "assign_public_ip" {
  description = "Whether tasks need a public address to reach AWS."
  value       = var.egress == "public_ip"
}
