"""What operators type about dead letters: which there are, what is in them, and what becomes of them."""

import base64
import getpass
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, NoReturn

import click

from cli.contact import contact
from cli.failures import NOTHING_MATCHED, REFUSED
from cli.parameters import LetterAt, OneOf
from cli.targets import standard_output
from operations.appending import AwsWriter
from operations.letters import Letters, Retried, Writer, grouped, mark
from operations.letters import retry as retry_letters
from projections.dynamodb_letters import AwsLetters
from projections.generations import check_stream
from projections.letters import KeptLetter
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.errors import ReasonCode
from telemetry.letter_marks import TEXT_CHARS_MAX, LetterMark, LetterPlace, Outcome
from telemetry.reading import rfc3339

_PATIENCE_S: Final = 30.0
_HEX_BYTES: Final = 16
_STATUSES: Final = "Exit status: 0 done, 1 failed, 2 not asked as --help says, 3 nothing matched, 130 interrupted."


class Desk(NamedTuple):
    """What these commands work on."""

    letters: Letters
    writer: Writer


@contextmanager
def desk() -> Iterator[Desk]:
    """The letters of the live generation, and the log, once both are known to belong together."""
    with contact() as (settings, names, _):
        kinesis, dynamodb = kinesis_client(settings), dynamodb_client(settings)
        live = check_stream(kinesis, dynamodb, names).names(settings.prefix)
        yield Desk(AwsLetters(dynamodb, live), AwsWriter(kinesis, live, _PATIENCE_S))


@click.group("dead-letters", invoke_without_command=True, epilog=_STATUSES)
@click.pass_context
def dead_letters(context: click.Context) -> None:
    """List what of the log could not be read, by reason; show, retry, discard or export it."""
    if context.invoked_subcommand:
        return
    with desk() as found:
        groups = grouped(found.letters.heads())
    if not groups:
        click.echo("No dead letters.")
        return
    click.echo(f"{'reason':<14}{'letters':>9}{'undecided':>11}  {'first':<25} {'last':<25} sample")
    for group in groups:
        first, last = (rfc3339(ms * 1000) for ms in (group.first_ms, group.last_ms))
        place = LetterPlace(*group.sample.origin).text
        click.echo(f"{group.code:<14}{group.count:>9,}{group.undecided:>11,}  {first:<25} {last:<25} {place}")
        click.echo(f"{'':14}{group.sample.reason}")


@dead_letters.command("show", epilog=_STATUSES)
@click.argument("place", type=LetterAt())
@click.option("--hex", "in_hex", is_flag=True, help="The bytes by their numbers, with their places.")
def show(place: LetterPlace, *, in_hex: bool) -> None:
    """Show the letter at PLACE: why it is one, what was decided, and its bytes."""
    with desk() as found:
        kept = found.letters.find(place)
    if kept is None or kept.letter is None:
        _nothing_at(place)
    letter = kept.letter
    click.echo(f"place    {place.text}")
    click.echo(f"arrived  {rfc3339(letter.arrived_at_ms * 1000)}")
    click.echo(f"reason   {letter.code}: {letter.reason}")
    click.echo(f"decided  {_decided(kept.mark)}")
    click.echo(f"bytes    {len(letter.data):,}\n")
    click.echo(_hex(letter.data) if in_hex else _text(letter.data))


@dead_letters.command(
    "retry",
    epilog="Exit status: 0 all that was asked for, 1 failed, 2 not asked as --help says, 3 nothing matched, "
    "4 some cannot be read still, 130 interrupted.",
)
@click.option("--reason", type=OneOf(ReasonCode), help="Those of this reason only.")
@click.option("--max", "most", type=click.IntRange(1), metavar="N", help="At most so many letters.")
@click.option("--again", is_flag=True, help="Also those that an earlier retry brought and that became letters again.")
@click.option("--by", default=getpass.getuser, help="Who decides; without it the user of this machine.")
@click.option("--dry-run", is_flag=True, help="Say only how many there are.")
def retry(reason: ReasonCode | None, most: int | None, by: str, *, again: bool, dry_run: bool) -> None:
    """Append what today's decoder reads of undecided letters to the log, where it counts, and mark them resolved."""

    def marked(place: LetterPlace, places: Sequence[str]) -> LetterMark:
        return LetterMark(place, Outcome.RESOLVED, by, "", _now_us(), tuple(places))

    with desk() as found:
        writer = None if dry_run else found.writer
        retried = retry_letters(found.letters, writer, marked, reason=reason, most=most, again=again)
    if not retried.letters and not retried.left:
        click.echo("Nothing matched: there is no such letter that nobody decided about.", err=True)
        sys.exit(NOTHING_MATCHED)
    would = "would be appended" if dry_run else "appended"
    click.echo(f"{retried.letters} letters can be read: {retried.events} events {would}{', at most' * retried.more}.")
    _say_left(retried)
    if retried.left:
        sys.exit(REFUSED)


@dead_letters.command("discard", epilog=_STATUSES)
@click.argument("place", type=LetterAt())
@click.option("--because", required=True, metavar="TEXT", help="Why nobody needs it.")
@click.option("--by", default=getpass.getuser, help="Who decides; without it the user of this machine.")
def discard(place: LetterPlace, because: str, by: str) -> None:
    """Note that the letter at PLACE is not needed. It stays, and is not counted as undecided any more."""
    if not because.strip() or max(len(because), len(by)) > TEXT_CHARS_MAX:
        raise click.UsageError(f"--because and --by: say why, and who, in 1 to {TEXT_CHARS_MAX} characters.")
    with desk() as found:
        kept = found.letters.find(place)
        if kept is None or kept.letter is None:
            _nothing_at(place)
        mark(found.writer, LetterMark(place, Outcome.DISCARDED, by, because, _now_us()))
    click.echo(f"Discarded: {place.text}. The table says so when the consumer has read it.")


@dead_letters.command("export", epilog=_STATUSES)
def export() -> None:
    """Print all letters, with their bytes and what was decided, as JSON lines."""
    count = 0
    with desk() as found, standard_output() as out:
        for kept in found.letters.whole():
            if kept.letter:
                out.write(json.dumps(_exported(kept), ensure_ascii=False).encode() + b"\n")
                count += 1
    if not count:
        click.echo("Nothing matched: there are no dead letters.", err=True)
        sys.exit(NOTHING_MATCHED)


def _exported(kept: KeptLetter) -> dict[str, Any]:
    letter, decided = kept.letter, kept.mark
    assert letter
    return {
        "place": LetterPlace(*kept.origin).text,
        "arrived": rfc3339(letter.arrived_at_ms * 1000),
        "code": letter.code,
        "reason": letter.reason,
        "data_base64": base64.b64encode(letter.data).decode(),
        "mark": decided
        and {
            "outcome": decided.outcome,
            "by": decided.by,
            "because": decided.because,
            "at": rfc3339(decided.marked_at_us),
            "movedTo": list(decided.moved_to),
        },
    }


def _say_left(retried: Retried) -> None:
    if retried.unreadable:
        found = ", ".join(f"{code} {retried.unreadable[code]}" for code in ReasonCode if retried.unreadable[code])
        total = retried.unreadable.total()
        click.echo(f"{total} cannot be read still ({found}): a newer version may, else discard them.", err=True)
    if retried.came_back:
        click.echo(
            f"{retried.came_back} were retried before and are letters again: the consumers do not read them yet. "
            "Deploy these, then say --again.",
            err=True,
        )
    if retried.incomplete:
        click.echo(f"{retried.incomplete} are being written just now: try again.", err=True)


def _nothing_at(place: LetterPlace) -> NoReturn:
    click.echo(f"Nothing matched: the live generation has no dead letter at {place.text}.", err=True)
    sys.exit(NOTHING_MATCHED)


def _decided(decided: LetterMark | None) -> str:
    if decided is None:
        return "nothing yet"
    why = f": {decided.because}" if decided.because else ""
    moved = f"; now at {', '.join(decided.moved_to)}" if decided.moved_to else ""
    return f"{decided.outcome} by {decided.by} at {rfc3339(decided.marked_at_us)}{why}{moved}"


def _text(data: bytes) -> str:
    """As UTF-8 where it is that, and what a terminal would take for a command by its number."""
    shown = data.decode(errors="backslashreplace")
    return "".join(sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in shown)


def _hex(data: bytes) -> str:
    lines = []
    for begin in range(0, len(data), _HEX_BYTES):
        piece = data[begin : begin + _HEX_BYTES]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        lines.append(f"{begin:08x}  {piece.hex(' '):<{3 * _HEX_BYTES - 1}}  {shown}")
    return "\n".join(lines)


def _now_us() -> int:
    return time.time_ns() // 1000
