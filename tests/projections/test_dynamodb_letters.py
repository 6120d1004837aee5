"""Dead letters read from a table of LocalStack."""

from projections.dynamodb import AwsStores
from projections.dynamodb_letters import AwsLetters
from projections.effects import DeadLetter, Origin
from telemetry.errors import ReasonCode
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome
from tests.support.stack import Stack


def test_letters_are_found_and_listed_with_their_marks(stack: Stack) -> None:
    """Whole, or by their heads; larger than an item, and without bytes; a place whose number begins alike is another."""
    letters = [
        DeadLetter(Origin("one", number, line), data, ReasonCode.NOT_JSON, "why", 250)
        for number, line, data in ((10**55, 1, bytes(300_000)), (10**55, 10, b""), (10**55 + 1, 1, b"{"))
    ]
    mark = LetterMark(LetterPlace(*letters[0].origin), Outcome.RESOLVED, "me", "", 1, ("one:7",))
    stores = AwsStores(stack.dynamodb, stack.kinesis, stack.names, patience_s=10)
    stores.store_dead_letters(letters)
    stores.mark_letters([mark])
    stores.close()
    table = AwsLetters(stack.dynamodb, stack.names)
    for letter in letters:
        kept = table.find(LetterPlace(*letter.origin))
        assert kept
        assert (kept.letter, kept.mark) == (letter, mark if letter is letters[0] else None)
    assert table.find(LetterPlace("one", 10**54, 1)) is None
    assert {kept.origin: kept.letter for kept in table.whole()} == {letter.origin: letter for letter in letters}
    heads = {kept.origin: kept for kept in table.heads()}
    assert {origin: kept.letter and kept.letter.data for origin, kept in heads.items()} == dict.fromkeys(heads, b"")
    assert heads[letters[0].origin].mark == mark
