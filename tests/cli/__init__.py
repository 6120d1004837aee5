"""The telemetry command."""
