"""The `telemetry` command: wiring only."""
