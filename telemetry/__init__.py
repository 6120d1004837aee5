"""The words every part shares: readings, events, records, settings, limits, errors, AWS clients. Imports nothing of ours."""
