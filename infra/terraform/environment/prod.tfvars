# Survives the loss of a zone; protected against deletion. account_id, owner, image, allowed_cidrs, alarm_emails and domain are handed over.
environment            = "prod"
cidr                   = "10.3.0.0/16"
egress                 = "nat"
nat_gateways           = 2
shards                 = 4 # two workers at least, and as many more to grow to
point_in_time_recovery = true
deletion_protection    = true
archive                = true
keys                   = true
canary                 = true
traffic_logs           = true
log_retention_days     = 365
monthly_budget_usd     = 500
api                    = { cpu = 512, memory = 1024, tasks_min = 2, tasks_max = 10, requests_per_minute = 12000 }
consumer               = { cpu = 1024, memory = 2048, tasks_min = 2, tasks_max = 8 }
archiver               = { cpu = 256, memory = 1024, shares = 1 }
