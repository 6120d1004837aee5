"""A container is stopped by SIGTERM, which is to a command what Ctrl-C is."""

import os
import signal
import socket
import subprocess
import sys

from infra.local.environment import aws, machine

PATIENCE_S = 60.0


def test_sigterm_interrupts_a_command() -> None:
    """While it waits for AWS, where a socket is that never answers: so what it has begun is ended in order."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.settimeout(PATIENCE_S)
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        settings = {"PREFIX": "t", "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        command = [sys.executable, "-m", "cli", "generations"]
        with subprocess.Popen(command, env={**machine(os.environ), **aws({}), **settings}) as process:
            connection, _ = nobody.accept()
            with connection:
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE_S) == 130
