"""Looks, verdicts and what is kept of restarts."""
