"""One LocalStack's folder and environment variables: what it is told, and why.

Responsible for the settings only. Not responsible for starting anything; see localstack.py.
"""

import os
import shutil
import tempfile
from pathlib import Path

from infra.local.downloads import STATIC_LIBS, LocalStackHome

HERE = Path(__file__).parent
SERVICES = "kinesis,dynamodb,cloudwatch,s3,sts,iam"


def make_root(home: LocalStackHome) -> Path:
    """A new folder for one LocalStack: its own files, and links to what is installed for all."""
    root = Path(tempfile.mkdtemp(prefix="telemetry-localstack-"))
    lib = root / "var" / "lib" / "localstack" / "lib"
    java = lib / "java" / "21" / "bin" / "java"
    static_libs = root / STATIC_LIBS
    for folder in (root / "tmp", lib / "dynamodb-local", lib / "kinesis-local", java.parent, static_libs.parent):
        folder.mkdir(parents=True)
    static_libs.symlink_to(home.static_libs)
    (lib / "dynamodb-local" / "2").symlink_to(home.dynamodb_local)
    (lib / "kinesis-local" / "0.5.2").symlink_to(home.kinesis_local)
    shutil.copyfile(HERE / "dynamodb_local.sh", java)
    java.chmod(0o755)
    return root


def environment(
    home: LocalStackHome, root: Path, listen: str, dynamodb_port: int, calls_file: Path | None = None
) -> dict[str, str]:
    """All variables LocalStack sees. The user's own (PERSISTENCE, DEBUG, proxies …) would change it from run to run."""
    return {
        "PATH": f"{home.node_bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        # Whatever it writes to a home or a temporary folder lies in the root and goes with it.
        "HOME": str(root),
        "TEMP": str(root / "tmp"),  # Python reads it like TMPDIR, which LocalStack calls deprecated
        "CONFIG_DIR": str(root / "config"),
        "FILESYSTEM_ROOT": str(root),
        "OVERRIDE_IN_DOCKER": "false",  # else it may take the machine for a container and write to /var/lib
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # the environment is shared, and compiled already
        "GATEWAY_LISTEN": listen,
        "DNS_ADDRESS": "0",  # its name server would listen on every interface
        "DISABLE_EVENTS": "1",  # no usage reports
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "LS_LOG": "warning",  # at INFO it writes a line per request
        "SERVICES": SERVICES,
        "STRICT_SERVICE_LOADING": "1",
        "EAGER_SERVICE_LOADING": "0",  # eagerly, services load one after another, before the port answers
        "DYNAMODB_IN_MEMORY": "1",
        # Half an hour of a fleet of thousands, and looking at all of it, took half of that; without memory it would answer
        # nobody and live on.
        "DYNAMODB_HEAP_SIZE": "2048m",
        "JAVA_TOOL_OPTIONS": "-XX:+ExitOnOutOfMemoryError",
        "DYNAMODB_LOCAL_PORT": str(dynamodb_port),
        "DYNAMODB_LOCAL_JAVA": str(home.java),
        "DYNAMODB_LOCAL_XML": str(HERE / "dynamodb_local.xml"),
        "KINESIS_PERSISTENCE": "0",  # else all records are written to a file every 5 s
        "KINESIS_LATENCY": "0",  # of creating and resharding streams, in milliseconds
        "KINESIS_SHARD_LIMIT": "1000",
        "KINESIS_ON_DEMAND_STREAM_COUNT_LIMIT": "100",
        "KINESIS_LOCAL_PORT_FILE": str(_port_file(root)),
        # With V8's few megabytes for what is new, kinesis-local spends two to four times the processor on a page of records.
        "NODE_OPTIONS": f'--max-semi-space-size=64 --require "{HERE / "kinesis_local.cjs"}"',
        **({"CALLS_FILE": str(calls_file)} if calls_file else {}),
    }


def kinesis_port(root: Path) -> int:
    """The port LocalStack chose for kinesis-local, as kinesis_local.cjs wrote it."""
    return int(_port_file(root).read_text())


def _port_file(root: Path) -> Path:
    return root / "kinesis-local.port"
