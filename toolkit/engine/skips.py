"""Which pictures of a job somebody gave up while they were drawn: the others go on."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence


class AllSkipped(Exception):
    """Nobody wants any picture of the batch that is being drawn; the job goes on with the next batch."""


class Skips:
    """The given-up pictures of one job, by index; `skip` may be called by any thread, the rest by the job's own."""

    def __init__(self, count: int) -> None:
        self.drawing: Sequence[int] = range(count)
        self._open = set(range(count))
        self._skipped: set[int] = set()
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
