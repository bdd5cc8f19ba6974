"""The engine process: `python -m toolkit.engine.worker`, started by the process engine and by nobody else.

Commands come in on standard input, events go out on standard output, both as the messages of `wire`. When the input
ends, the studio has gone, however it went, and the worker ends too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.engine.control import Patience
from toolkit.engine.inline import InlineEngine
from toolkit.engine.preprocessing import ControlMade, pack_made, unpack_ask
from toolkit.engine.protocol import EngineEvent
from toolkit.engine.wire import Wire, pack_event, unpack_job
from toolkit.models import ModelIndex
from toolkit.plugins.plugins import Plugins

# A step may last longer; the studio ends such jobs itself once this process is gone.
_CLOSE_SECONDS = 2.0
_STUCK = 3
# A sign of life this often, or more often where the studio is impatient.
_BEAT = 5.0

log = logging.getLogger("toolkit.engine.worker")


class Worker:
    """Turns commands into calls of an inline engine, and its events into messages."""

    def __init__(self, wire: Wire, setup: Mapping[str, Any]) -> None:
        self._wire, patience = wire, Patience(**setup["patience"])
        self._beat = min(_BEAT, patience.least / 8)
        models = ModelIndex([Path(folder) for folder in setup["folders"]])
        self._engine = InlineEngine(
            models, dtype=setup["dtype"], name="process", plugins=self._plugins(setup["plugins"]),
            patience=patience, attention=setup["attention"],
        )  # fmt: skip

    def _plugins(self, plain: Mapping[str, Any] | None) -> Plugins | None:
        """The plugins that the studio found good; what one does wrong here is told there."""
        if plain is None:
            return None
        plugins = Plugins.from_handoff(plain)
        plugins.guard.on_blame = lambda plugin: self._wire.send(
            {"kind": "blame", "name": plugin.name, "reason": plugin.reason, "traceback": plugin.traceback}
        )
        return plugins

    def run(self) -> None:
        """Make ready to draw while another thread reads commands; what goes wrong here ends the process."""
        self._engine.start(self._on_event, self._on_death)
        reader = threading.Thread(target=self._obey, name="commands", daemon=True)
        reader.start()
        threading.Thread(target=self._live, name="beat", daemon=True).start()
        self._engine.open()
        self._tell_stats()
        reader.join()

    def _obey(self) -> None:
        """Follow commands until the studio says "close" or goes away, however it goes."""
        while (message := self._wire.receive()) is not None:
            header, blobs = message
            if header["kind"] == "job":
                self._engine.submit(unpack_job(header, blobs))
            elif header["kind"] == "cancel":
                self._engine.cancel(header["id"])
            elif header["kind"] == "skip":
                self._engine.skip(header["id"], header["picture"])
            elif header["kind"] == "warm":
                self._engine.warm(header["model"])
            elif header["kind"] == "preprocess":
                self._engine.preprocess(unpack_ask(header, blobs), partial(self._on_made, header["number"]))
            elif header["kind"] == "plugins":
                self._engine.use(self._plugins(header["plugins"]))
            elif header["kind"] == "close":
                self._engine.close(timeout=_CLOSE_SECONDS)
                break
        logging.shutdown()
        os._exit(0)  # torch's own threads need not be waited for

    def _live(self) -> None:
        """Tell the studio now and then that this process runs, however long a step takes."""
        while True:
            time.sleep(self._beat)
            if self._engine.hung_beside:
                self._on_death("a preprocessor hangs outside of Python, and nothing is being drawn")
            try:
                self._wire.send({"kind": "beat"})
            except OSError:
                return  # the studio has gone, which the other threads find out too

    def _on_event(self, event: EngineEvent) -> None:
        try:
            self._wire.send(*pack_event(event))
            if event.state.ended:
                self._tell_stats()
        except OSError:
            os._exit(0)  # the studio has gone; there is nobody to draw for

    def _on_made(self, number: int, made: ControlMade) -> None:
        with contextlib.suppress(OSError):  # the reader of commands sees that the studio has gone
            self._wire.send(*pack_made(number, made))

    def _on_death(self, reason: str) -> None:
        """A thread hangs outside of Python, where only the end of the process frees what it holds; the studio goes on.
        """
        log.error("the engine process ends itself: %s", reason)
        logging.shutdown()
        os._exit(_STUCK)

    def _tell_stats(self) -> None:
        self._wire.send({"kind": "stats", "stats": dict(self._engine.stats())})


def main() -> None:
    """Keep standard output for messages alone: whatever a library prints goes to the log with standard error."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    wire = Wire(sys.stdin.buffer, sink)
    first = wire.receive()
    if first is None:
        return
    Worker(wire, first[0]).run()


if __name__ == "__main__":
    main()
