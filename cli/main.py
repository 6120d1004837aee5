"""`telemetry`: what analysts and operators type. Each group of commands has a file."""

import click

from cli.archiving import archive
from cli.checking import doctor
from cli.following import tail
from cli.generations import drop, generations
from cli.keys import keys
from cli.leasing import leases
from cli.letters import dead_letters
from cli.operating import continue_
from cli.promoting import promote
from cli.rebuilding import rebuild
from cli.replaying import replay
from cli.sending import import_, send, simulate
from cli.verifying import verify


@click.group(epilog="Exit status: 0 done, 1 failed, 2 not asked as --help says, 130 interrupted.")
def telemetry() -> None:
    """Work with the telemetry log. AWS is found by the standard AWS variables, the stream by PREFIX."""


ANALYSTS = (replay, tail, send, simulate, import_, archive)
OPERATORS = (doctor, leases, dead_letters, verify, generations, rebuild, promote, drop, continue_, keys)
for command in (*ANALYSTS, *OPERATORS):
    telemetry.add_command(command)
