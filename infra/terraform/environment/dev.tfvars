# Cheap, and gone again without leaving anything: no NAT, no protection, one shard, tasks that AWS may take back. account_id, owner, image
# and allowed_cidrs are handed over.
environment            = "dev"
cidr                   = "10.1.0.0/16"
egress                 = "public_ip"
plaintext              = true # until a domain is handed over
shards                 = 1
retention_hours        = 24
spot                   = true
point_in_time_recovery = false
deletion_protection    = false
archive                = false
keys                   = false
canary                 = false
traffic_logs           = false
log_retention_days     = 7
monthly_budget_usd     = 100
api                    = { cpu = 256, memory = 512, tasks_min = 1, tasks_max = 2, requests_per_minute = 6000 }
consumer               = { cpu = 512, memory = 1024, tasks_min = 1, tasks_max = 2 }
archiver               = { cpu = 256, memory = 1024, shares = 1 }
