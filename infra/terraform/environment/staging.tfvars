# Built like prod, at one zone's NAT and the least number of tasks. account_id, owner, image, allowed_cidrs, alarm_emails and domain are
# handed over.
environment            = "staging"
cidr                   = "10.2.0.0/16"
egress                 = "nat"
nat_gateways           = 1
shards                 = 2
point_in_time_recovery = true
deletion_protection    = false
archive                = true
keys                   = true
canary                 = true
traffic_logs           = true
log_retention_days     = 30
monthly_budget_usd     = 300
api                    = { cpu = 512, memory = 1024, tasks_min = 1, tasks_max = 4, requests_per_minute = 12000 }
consumer               = { cpu = 1024, memory = 2048, tasks_min = 1, tasks_max = 2 }
archiver               = { cpu = 256, memory = 1024, shares = 1 }
