"""Archives one shard: reads on from its chain's end, collects, puts objects, says what may be lost, and ends with the shard.

Nobody else is asked for leave. Whoever puts an object first has put it; the others find that out when they put theirs, and go
on behind it. So archivers may be several, late, repeated or dead at any moment.
"""

from functools import partial
from typing import Final

from archive.meta import Gap, State
from archive.names import START, Place, object_key
from archive.objects import Draft
from archive.wholeness import Stretch, is_whole, is_young
from archive.world import Finished, Page, Steps, World, ask
from telemetry.errors import StoreUnavailable, WrongStream
from telemetry.shards import Shard

_STATE_EVERY_OBJECTS: Final = 20
"""Where something always comes, and the tip is never seen. From the object that a state names the chain's end is looked for."""


class ShardArchiver:
    """One line of work: a shard of one stream, created at `created`."""

    def __init__(
        self, stream: str, created: str, shard: Shard, *, object_bytes: int, interval_ms: int, state_every_ms: int
    ) -> None:
        """An object is put when it has `object_bytes`, or was begun `interval_ms` ago.

        Where nothing comes a state is written every `state_every_ms`.
        """
        self._stream = stream
        self._created = created
        self._shard = shard
        self._object_bytes = object_bytes
        self._interval_ms = interval_ms
        self._state_every_ms = state_every_ms
        self._position = Stretch(START)
        """What is to be read next: the stretch behind the last record that was archived or is held."""
        self._key: str | None = None
        self._ended = False
        self._closed = shard.closed
        """Nothing will be written to the shard any more: asked before the next page, or known from the beginning."""
        self._unknown_parents: tuple[str, ...] = ()
        self._draft: Draft | None = None
        self._begun_ms = self._noted_ms = 0
        self._objects = 0
        """That were put."""
        self.hurried = False
        """Set from outside: what is held is put after the next page."""
        self.stop_ms: int | None = None
        """Set from outside, milliseconds since 1970: the tip of then is still archived, and that is all."""
        self.stream_ends = False
        """Set from outside with a page that is over: so is the stream, and no shard follows this one."""

    @property
    def held_bytes(self) -> int:
        """Of the object that is being made."""
        return self._draft.size_bytes if self._draft else 0

    @property
    def ended(self) -> bool:
        """Whether the chain holds the shard's end."""
        return self._ended

    def run(self) -> Steps[None]:
        """Archive until the shard's end, or until the tip as it was when this was stopped.

        Raises StoreUnavailable when the stream says that the shard is over, and ListShards does not.
        """
        reached = yield from ask(lambda world: world.reached())
        self._position, self._key, self._ended, self._unknown_parents = reached
        while not self._ended:
            page = yield from ask(partial(_read, after=self._position.after))
            if not (yield from self._take(page)):
                continue  # somebody was first: on behind what they put
            if page.over:
                yield from self._end_or_look_again()
                continue
            if self._draft and (self._is_due(page) or self._is_last(page)) and not (yield from self._put()):
                continue
            if self._is_last(page):
                return

    def _take(self, page: Page) -> Steps[bool]:
        """Take in a page. False when what was held could not be put, so that the page is none of ours."""
        if not page.records:
            if not page.over:
                yield from self._look_at_tip(page)
            elif self._closed and not (yield from self._is_whole_before(page)):
                return (yield from self._begin_behind_gap(None, page))
            return True
        if page.records[0].sequence_number <= self._position.after.sequence_number:
            raise WrongStream(f"{self._shard.shard_id} goes back: its stream is not the one created at {self._created}")
        if not (yield from self._is_whole_before(page)):
            first = Place(page.records[0].sequence_number, page.records[0].arrived_ms)
            if not (yield from self._begin_behind_gap(first, page)):
                return False
        for record in page.records:
            self._begin(page)
            assert self._draft
            self._draft.add(record)
            self._position = Stretch(self._draft.place)
            if self._draft.size_bytes >= self._object_bytes and not (yield from self._put()):
                return False
        return True

    def _is_whole_before(self, page: Page) -> Steps[bool]:
        """Whether nothing may be lost before a page. What unknown parents held may be, however young the shard is."""
        if self._unknown_parents and self._position.after == START:
            return False
        return (yield from self._is_whole(page))

    def _is_whole(self, page: Page) -> Steps[bool]:
        """Whether nothing was lost between what was read before and this page."""
        if is_young(self._position, page.answered_ms, page.retention_ms):
            return True
        # Asked after the page: what the stream keeps now it kept then.
        oldest = yield from ask(lambda world: world.oldest())
        return is_whole(self._position, page.answered_ms, page.retention_ms, oldest)

    def _begin_behind_gap(self, before: Place | None, page: Page) -> Steps[bool]:
        """An object that says what may be lost. What is held goes first: a gap never lies inside an object."""
        if self._draft and not (yield from self._put()):
            return False
        after = self._position.after
        self._begin(page, Gap.between(after, before, self._unknown_parents if after == START else ()))
        return True

    def _begin(self, page: Page, gap: Gap | None = None) -> None:
        if self._draft is None:
            self._draft = Draft(self._stream, self._created, self._shard, self._position.after, gap)
            self._begun_ms = page.answered_ms

    def _look_at_tip(self, page: Page) -> Steps[None]:
        """Keep that nothing lay behind what was read, and write it down now and then.

        Only where the stretch up to there is whole: else the look would hide that something may be lost in it.
        """
        if page.behind_ms or not (yield from self._is_whole(page)):
            return
        self._position = self._position._replace(tip_seen_ms=page.asked_ms)
        if self._draft is None and page.asked_ms - self._noted_ms >= self._state_every_ms:
            self._noted_ms = page.asked_ms
            yield from self._note(self._position.after, page.asked_ms)

    def _note(self, last: Place, tip_seen_ms: int) -> Steps[None]:
        state = State.of(last, self._key, tip_seen_ms, self._shard)
        yield from ask(lambda world: world.note(state))

    def _end_or_look_again(self) -> Steps[None]:
        """Put the shard's end, where a page without next iterator was asked for when ListShards had shown the shard closed.

        A missing iterator alone is no end: Kinesis may not have found an open shard once, and what was written to that
        until it was closed has yet to be read.
        """
        if not self._closed:
            if not (yield from ask(lambda world: world.is_closed())):
                raise StoreUnavailable(f"{self._shard.shard_id} is said to be over, but ListShards does not show it closed")
            self._closed = True
            return
        if self._draft is None:
            self._draft = Draft(self._stream, self._created, self._shard, self._position.after)
        yield from self._put(shard_end=True)

    def _put(self, *, shard_end: bool = False) -> Steps[bool]:
        """Put what is held. When its place is taken, go on at the chain's end, which may be far ahead."""
        assert self._draft
        draft, self._draft = self._draft, None
        self.hurried = False
        self._key = key = object_key(self._created, self._shard.shard_id, draft.after)
        tail, data = draft.finish(shard_end=shard_end, stream_end=shard_end and self.stream_ends)
        if (yield from ask(lambda world: world.put(Finished(key, data, tail, draft.gap)))):
            self._ended = shard_end
            self._objects += 1
            if self._objects % _STATE_EVERY_OBJECTS == 1 and draft.place != START:
                # Nothing lay behind the last record when it arrived: that vouches for nothing that its arrival does not.
                yield from self._note(draft.place, draft.place.arrived_ms)
            return True
        self._key, tail = yield from ask(lambda world: world.reached_from(key))
        self._position, self._ended = Stretch(tail.place), tail.shard_end
        return False

    def _is_due(self, page: Page) -> bool:
        return self.hurried or page.answered_ms - self._begun_ms >= self._interval_ms

    def _is_last(self, page: Page) -> bool:
        """Whether the page holds the tip as it was when this was stopped."""
        if self.stop_ms is None:
            return False
        return page.records[-1].arrived_ms > self.stop_ms if page.records else page.behind_ms == 0


def _read(world: World, after: Place) -> Page:
    return world.read(after)
