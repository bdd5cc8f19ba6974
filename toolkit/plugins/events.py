"""Tells plugins what happens, on a thread of their own: a slow one delays other plugins, never a job."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from toolkit.plugins.calls import notify

if TYPE_CHECKING:
    from toolkit.jobs import JobEvent
    from toolkit.plugins.plugins import Plugins

WAITING = 1_000
CLOSE_SECONDS = 10.0


class PluginEvents:
    """`tell` returns at once; the thread starts with the first event that some plugin listens to."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._queue: queue.SimpleQueue[JobEvent | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def tell(self, event: JobEvent) -> None:
        """Pass an event on; when far too many wait, steps are left out and ends are not."""
        if not self._plugins.registry.implementations("on_event"):
            return
        if self._queue.qsize() > WAITING and not event.state.ended:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="limner-plugins", daemon=True)
                self._thread.start()
        self._queue.put(event)

    def close(self) -> None:
        """Have the waiting events told first, for a while."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            notify(self._plugins, event)
