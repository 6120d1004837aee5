"""Replay: the log as analysts read it."""
