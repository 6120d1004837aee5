"""What operators type to learn what is wrong."""

import json
import os
import sys
from pathlib import Path
from typing import Final

import click

import infra
from cli.failures import FOUND, GAP, sentence, told
from infra.setup import load_definition, names_now, set_up
from operations.checkup import Checkup, exit_status
from operations.doctor import Section, State, verdict
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.settings import Settings

_JARS_LOCK: Final = Path(infra.__file__).parent / "images" / "kcl-jars.sha256"
_SIGNS: Final = {State.OK: "✓", State.FOUND: "✗", State.UNSEEN: "?", State.NONE: "–"}
_FIXED: Final = frozenset({"stream", "tables"})


@click.command(
    "doctor",
    epilog="Exit status: 0 all is well, 1 something is wrong, 2 not asked as --help says, 5 could not look, 130 interrupted.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--fix", is_flag=True, help="Make what is missing of a local pipeline, and look again.")
def doctor(*, as_json: bool, fix: bool) -> None:
    """Look at AWS, stream, tables, consumer, archive and this machine, and say what is wrong and what mends it."""
    with told(status=GAP):
        settings = Settings.from_environment(os.environ)
    with told(settings, GAP):
        found = examined(settings)
        if fix and any(section.name in _FIXED and section.findings for section in found):
            _fix(settings)
            found = examined(settings)
    click.echo(_json(found) if as_json else "\n".join([*_lines(found), "", verdict(found)]))
    sys.exit(exit_status(found, found=FOUND, unseen=GAP))


def examined(settings: Settings) -> list[Section]:
    """Every part, looked at once."""
    return list(Checkup(settings, load_definition, _JARS_LOCK, lambda error: sentence(error, settings)).sections())


def _fix(settings: Settings) -> None:
    """Make stream and tables that are missing. Nothing that is there is touched."""
    if settings.aws_endpoint_url is None:
        click.echo("--fix makes nothing on AWS, where Terraform does: docs/deploy.md.", err=True)
        return
    kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
    names = names_now(kinesis, dynamodb, settings.prefix)
    set_up(kinesis, dynamodb, names)
    click.echo(f"Made what was missing of {names.stream} and its tables.", err=True)


def _lines(found: list[Section]) -> list[str]:
    lines = []
    for section in found:
        told = f"  {section.told}" if section.state is not State.FOUND else ""
        lines.append(f"{_SIGNS[section.state]} {section.name:<14}{told}".rstrip())
        for finding in section.findings:
            lines += [f"    {finding.what}", f"      why   {finding.why}", f"      mend  {finding.mend}"]
    return lines


def _json(found: list[Section]) -> str:
    sections = [
        {
            "name": section.name,
            "state": section.state,
            "told": section.told,
            "findings": [{"what": one.what, "why": one.why, "mend": one.mend} for one in section.findings],
        }
        for section in found
    ]
    return json.dumps({"verdict": verdict(found), "sections": sections}, ensure_ascii=False)
