"""Control pictures outside of drawing: what a preprocessor makes of a picture, for somebody to look at first."""

from __future__ import annotations

import io
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from toolkit.adapters import ControlUse, controls_from
from toolkit.engine.control import Patience
from toolkit.engine.offline import stay_offline
from toolkit.engine.protocol import Picture
from toolkit.errors import LimnerError, RequestError
from toolkit.geometry import Size
from toolkit.plugins.calls import preprocess
from toolkit.request import GenerationRequest
from toolkit.resizing import resized

if TYPE_CHECKING:
    from toolkit.engine.wire import Message
    from toolkit.plugins.plugins import Plugins

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ControlAsk:
    """A unit with a concrete preprocessor, the size that will be drawn, and the PNG file that the unit names."""

    use: ControlUse
    size: Size
    picture: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ControlMade:
    """The control picture, exactly as drawing would use it; or why there is none, and the field that is wrong."""

    picture: Picture | None = None
    error: str = ""
    field: str = ""


Told = Callable[[ControlMade], None]


def make(plugins: Plugins | None, ask: ControlAsk, device: str, longest: float | None = None) -> ControlMade:
    """The same steps in the same order as `drawing` takes before it draws, in at most `longest` seconds of Python."""
    if plugins is None:
        return ControlMade(error="This studio has no plugins, which control units are for.", field="controls")
    stay_offline()  # a preprocessor may be the first to import torch here
    try:
        with Image.open(io.BytesIO(ask.picture), formats=["PNG"]) as file:
            image = resized(file.convert("RGB"), ask.size, ask.use.resize)
        if ask.use.preprocessor != "none":
            request = GenerationRequest(size=ask.size, seed=0)
            image = preprocess(plugins, ask.use, image, request, device=device, longest=longest)
    except RequestError as error:
        return ControlMade(error=str(error), field=error.field)
    except LimnerError as error:
        return ControlMade(error=str(error), field="controls")
    return ControlMade(Picture(image.width, image.height, image.convert("RGB").tobytes()))


class Preprocessing:
    """Answers asks one after the other on a thread of its own, so that drawing goes on meanwhile.

    The thread is started by the first ask; nobody who writes a preprocessor need think of threads. One that loops is
    ended. One that waits outside of Python can't be: its thread stays behind, is counted in `left_behind`, and
    another one answers what comes next.
    """

    def __init__(
        self, plugins: Callable[[], Plugins | None], device: Callable[[], str] = lambda: "cpu",
        patience: Patience | None = None,
    ) -> None:  # fmt: skip
        self._plugins, self._device, self._patience = plugins, device, patience or Patience()
        self._asked: queue.SimpleQueue[tuple[ControlAsk, Told]] = queue.SimpleQueue()
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self.left_behind = 0

    @property
    def stuck(self) -> bool:
        """Whether a thread hangs that only the end of the process frees, and nobody waits for another picture."""
        return self.left_behind > 0 and self._waiting == 0

    def ask(self, ask: ControlAsk, told: Told) -> None:
        """Have `told` called with the answer, from a thread."""

        def answered(made: ControlMade) -> None:
            with self._changing:
                self._waiting -= 1
            told(made)

        with self._changing:
            self._waiting += 1
            self._asked.put((ask, answered))
            if self._thread is None:
                self._hire()

    def _hire(self) -> None:
        self._thread = threading.Thread(target=self._work, name="preprocess", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while self._thread is threading.current_thread():
            ask, told = self._asked.get()
            once = _Once(told)
            watch = threading.Timer(self._patience.preview + self._patience.grace, self._leave_behind, (ask, once))
            watch.daemon = True
            watch.start()
            try:
                once(make(self._plugins(), ask, self._device(), self._patience.preview))
            except Exception as error:  # a job thread: whatever an ask dies of, the next one is answered
                log.exception("a control picture could not be made")
                once(ControlMade(error=f"The control picture could not be made ({type(error).__name__}).", field=""))
            watch.cancel()

    def _leave_behind(self, ask: ControlAsk, once: _Once) -> None:
        """Answer for a thread that hangs, and have another one take its place."""
        name, plugins = ask.use.preprocessor, self._plugins()
        reason = f"It was not done within {self._patience.preview:g} seconds: something in it hangs."
        with self._changing:
            if not once.claim():
                return
            self.left_behind += 1
            self._hire()
        owned = plugins.registry.preprocessors().get(name) if plugins is not None else None
        if owned is not None:
            plugins.guard.blame(owned.plugin, reason)
        label = owned.noun.label if owned is not None else name
        once.told(ControlMade(error=f"“{label}” failed: {reason}", field="controls"))


class _Once:
    """An answer that is told once, by whoever claims it first."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self._lock = threading.Lock()

    def claim(self) -> bool:
        return self._lock.acquire(blocking=False)

    def __call__(self, made: ControlMade) -> None:
        if self.claim():
            self.told(made)


class Errands:
    """Asks that the engine's process answers, each under a number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, Told] = {}
        self._last = 0

    def pack(self, ask: ControlAsk, told: Told) -> Message:
        """The message for an ask, whose answer `told` waits for from now on."""
        with self._lock:
            self._last += 1
            self._waiting[self._last] = told
            number = self._last
        return {"kind": "preprocess", "number": number, "use": ask.use.to_dict(), "size": list(ask.size)}, [ask.picture]

    def answer(self, header: Mapping[str, Any], blobs: Sequence[bytes]) -> None:
        """Pass an answer on to whoever waits for it."""
        with self._lock:
            told = self._waiting.pop(header["number"], None)
        if told is not None:
            picture = Picture(*header["size"], blobs[0]) if blobs else None
            told(ControlMade(picture, header["error"], header["field"]))

    def lose(self, reason: str) -> None:
        """Tell everybody who waits that no answer will come."""
        with self._lock:
            lost, self._waiting = list(self._waiting.values()), {}
        for told in lost:
            told(ControlMade(error=reason, field="controls"))


def unpack_ask(header: Mapping[str, Any], blobs: Sequence[bytes]) -> ControlAsk:
    return ControlAsk(controls_from([header["use"]])[0], Size(*header["size"]), blobs[0])


def pack_made(number: int, made: ControlMade) -> Message:
    size = [made.picture.width, made.picture.height] if made.picture else []
    header = {"kind": "preprocessed", "number": number, "error": made.error, "field": made.field, "size": size}
    return header, [made.picture.rgb] if made.picture else []
