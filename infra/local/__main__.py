"""`python -m infra.local --port 4566`: LocalStack alone, in the foreground, until Ctrl-C or SIGTERM."""

import argparse
import signal
import sys
from types import FrameType

from infra.local.fetch import DownloadError
from infra.local.localstack import LocalStack, LocalStackError
from infra.local.tools import MissingToolError


def main() -> int:
    """Exit code 0 after being asked to stop, 1 when LocalStack could not start or ended of itself."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="0 takes any free one (default: %(default)s)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with LocalStack(arguments.port, on_log=lambda line: print(f"localstack | {line}", flush=True)) as localstack:
            print(f"LocalStack is ready at {localstack.endpoint}; Ctrl-C stops it", flush=True)
            code = localstack.wait()
        print(f"LocalStack ended by itself with code {code}", file=sys.stderr)
    except KeyboardInterrupt:
        return 0
    except (LocalStackError, DownloadError, MissingToolError) as error:
        print(error, file=sys.stderr)
    return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
