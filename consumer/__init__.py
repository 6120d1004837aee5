"""KCL's side: the supervisor that keeps the daemon running, and the record processor it runs for each shard."""
