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


def make(plugins: Plugins | None, ask: ControlAsk, device: str) -> ControlMade:
    """The same steps in the same order as `drawing` takes before it draws."""
    if plugins is None:
        return ControlMade(error="This studio has no plugins, which control units are for.", field="controls")
    stay_offline()  # a preprocessor may be the first to import torch here
    try:
        with Image.open(io.BytesIO(ask.picture), formats=["PNG"]) as file:
            image = resized(file.convert("RGB"), ask.size, ask.use.resize)
        if ask.use.preprocessor != "none":
            image = preprocess(plugins, ask.use, image, GenerationRequest(size=ask.size, seed=0), device=device)
    except RequestError as error:
        return ControlMade(error=str(error), field=error.field)
    except LimnerError as error:
        return ControlMade(error=str(error), field="controls")
    return ControlMade(Picture(image.width, image.height, image.convert("RGB").tobytes()))


class Preprocessing:
    """Answers asks one after the other on a thread of its own, so that drawing goes on meanwhile.

    The thread is started by the first ask; nobody who writes a preprocessor need think of threads.
    """

    def __init__(self, plugins: Callable[[], Plugins | None], device: Callable[[], str] = lambda: "cpu") -> None:
        self._plugins, self._device = plugins, device
        self._asked: queue.SimpleQueue[tuple[ControlAsk, Told]] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self, ask: ControlAsk, told: Told) -> None:
        """Have `told` called with the answer, from the thread."""
        self._asked.put((ask, told))
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="preprocess", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            ask, told = self._asked.get()
            try:
                told(make(self._plugins(), ask, self._device()))
            except Exception as error:  # a job thread: whatever an ask dies of, the next one is answered
                log.exception("a control picture could not be made")
                told(ControlMade(error=f"The control picture could not be made ({type(error).__name__}).", field=""))


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
