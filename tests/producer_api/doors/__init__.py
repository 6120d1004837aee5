"""Doors for senders that know nothing of us."""
