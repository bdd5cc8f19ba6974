"""Which pictures of a job somebody gave up while they were drawn: the others go on."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence


class AllSkipped(Exception):
    """Nobody wants any picture of the batch that is being drawn; the job goes on with the next batch."""


class Skips:
    """The given-up pictures of one job, by index; `skip` may be called by any thread, the rest by the job's own.

    `before` are those that were given up before the job came here, in an engine that is no more.
    """

    def __init__(self, count: int, before: Iterable[int] = ()) -> None:
        self.drawing: Sequence[int] = range(count)
        self._skipped: set[int] = {*before} & {*range(count)}
        self._open = {*range(count)} - self._skipped
        self._changing = threading.Lock()

    @property
    def skipped(self) -> tuple[int, ...]:
        return tuple(sorted(self._skipped))

    def skip(self, picture: int | None = None) -> None:
        """Give a picture up, or the first one of those that are being drawn; does nothing for one that is done."""
        with self._changing:
            wanted = self.drawing if picture is None else (picture,)
            chosen = next((index for index in wanted if index in self._open), None)
            if chosen is not None:
                self._open.discard(chosen)
                self._skipped.add(chosen)

    def left(self, pictures: Iterable[int]) -> list[int]:
        """Those of `pictures` that are still wanted."""
        return [index for index in pictures if index not in self._skipped]

    def check(self) -> None:
        """Raise AllSkipped when none of the pictures that are being drawn is wanted any more."""
        if not self.left(self.drawing):
            raise AllSkipped

    def settle(self, pictures: Iterable[int]) -> list[int]:
        """The wanted ones of `pictures`, which are drawn now: from here on none can be given up."""
        with self._changing:
            self._open.clear()
            return self.left(pictures)


class SkipWishes:
    """What was asked to be left out of one job, kept outside of the engine that may die with it."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._named: set[int] = set()
        self._told: set[int] = set()
        self._unnamed = 0

    def ask(self, picture: int | None) -> None:
        """Somebody gives up a picture, or the first one that is being drawn."""
        if picture is None:
            self._unnamed += 1
        elif 0 <= picture < self._count:
            self._named.add(picture)

    def told(self, skipped: Iterable[int]) -> None:
        """An engine has said which pictures it leaves out."""
        self._told.update(skipped)

    def standing(self) -> tuple[int, ...]:
        """What an engine that begins with the job has to leave out.

        Where no engine could say any more which picture it was drawing, it is the first one that is left.
        """
        gone = self._named | self._told
        unanswered = max(0, self._unnamed - len(self._told - self._named))
        gone.update([index for index in range(self._count) if index not in gone][:unanswered])
        self._named, self._told, self._unnamed = gone, set(), 0
        return tuple(sorted(gone))
