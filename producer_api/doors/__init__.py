"""Doors for senders that know nothing of us: line protocol, and webhooks of LoRaWAN servers. All end in `writing/`."""
