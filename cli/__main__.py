"""`python -m cli` is `telemetry`, where its script is out of reach: in a container whose entry point is `python -m`."""

from cli.main import telemetry

if __name__ == "__main__":
    telemetry(prog_name="telemetry")
