"""`python -m cli` is `telemetry`, where its script is out of reach: in a container whose entry point is `python -m`."""

import signal

from cli.main import telemetry

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what stops a container is to end it in order
    telemetry(prog_name="telemetry")
