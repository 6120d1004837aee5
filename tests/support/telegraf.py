"""Telegraf, built from its Go module with only the plugins that the tests need: minutes the first time, nothing afterwards."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from infra.local.downloads import cache_folder, install_once

VERSION: Final = "v1.39.0"
_MODULE: Final = "github.com/influxdata/telegraf/cmd/telegraf"
_PLUGINS: Final = (
    *("inputs.file", "parsers.influx"),
    *("outputs.http", "outputs.influxdb", "outputs.influxdb_v2", "serializers.cloudevents", "serializers.influx"),
)
_BUILD_S_MAX: Final = 3000
_ENVIRON: Final = dict(os.environ)
"""As it was: where go finds modules is told there, and installations take nothing of the kind."""


class NotBuilt(Exception):
    """Telegraf cannot be had on this machine. The text says why."""


def ensure_telegraf() -> Path:
    """The program, built now unless it is there. Raises NotBuilt."""
    go = shutil.which("go")
    if go is None:
        raise NotBuilt("go is not on PATH")

    def build(folder: Path) -> None:
        # The module's own way to leave plugins out (its docs/CUSTOMIZATION.md, build tags).
        tags = ",".join(("custom", *_PLUGINS))
        done = subprocess.run(
            [go, "install", "-trimpath", "-ldflags=-s -w", f"-tags={tags}", f"{_MODULE}@{VERSION}"],
            env={**_ENVIRON, "GOBIN": str(folder), "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUILD_S_MAX,
        )
        if done.returncode:
            raise NotBuilt(f"Telegraf {VERSION} cannot be built: {done.stderr[-1000:]}")

    return install_once(cache_folder() / f"telegraf-{VERSION}", build) / "telegraf"
