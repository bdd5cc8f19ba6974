"""Control pictures to look at before anything is drawn: asked of the engine, and remembered. Imports no torch."""

from __future__ import annotations

import io
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from PIL import Image

from toolkit.adapters import ControlUse, check_controls
from toolkit.controls import resolved
from toolkit.engine.preprocessing import ControlAsk, ControlMade
from toolkit.errors import ModelError, RequestError
from toolkit.geometry import Size
from toolkit.jobs import OWNER, Who
from toolkit.plugins.calls import check_preprocessors
from toolkit.plugins.params import with_defaults
from toolkit.prepare import MAX_SIDE
from toolkit.request import GenerationRequest

if TYPE_CHECKING:
    from toolkit.model_files import ModelFile
    from toolkit.studio import Studio

# The first picture of a detector waits for its weights to be read, on a slow disk too.
LONGEST = 120.0
MOST_BYTES = 64 * 2**20
SMALLEST_SIDE = 16


class ControlPictures:
    """What the preprocessors of a studio make, as PNG files; the latest of them are kept in memory.

    Plugins that change have everything forgotten, because their preprocessors may have changed.
    """

    def __init__(self, studio: Studio, longest: float = LONGEST) -> None:
        self._studio, self._longest = studio, longest
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        studio.plugins.add_listener(self._forget)

    def get(
        self, use: ControlUse, model: str, size: Sequence[int] | None = None, who: Who = OWNER,
        admit: Callable[[], None] = lambda: None,
    ) -> bytes:  # fmt: skip
        """The PNG of the picture that a unit's ControlNet would follow when `model` draws at `size`.

        `admit` is called before the engine is asked, and not for a picture that is kept; what it raises passes.
        Raises RequestError with the field that is wrong, for weights of a preprocessor that are missing say.
        """
        path = self._studio.inputs.file(use.image, who, field="controls.0.image")
        known = self._model(model)
        use = self._concrete(use, known)
        wanted = _checked(size) or Size(*known.card["native_size"])
        key = json.dumps([use.image, use.preprocessor, dict(use.options), use.resize, wanted], sort_keys=True)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        admit()
        made = _file(self._ask(ControlAsk(use, wanted, path.read_bytes())))
        self._keep(key, made)
        return made

    def _model(self, name: str) -> ModelFile:
        if name not in {model.id for model in self._studio.models.list()}:
            raise RequestError("model", f"There is no model called “{name[:100]}” in this studio.")
        try:
            return self._studio.models.find(name)
        except ModelError as error:
            raise RequestError("model", str(error)) from error

    def _concrete(self, use: ControlUse, model: ModelFile) -> ControlUse:
        """The unit as a prepared request has it, with every option written out: equal pictures have equal keys."""
        plugins = self._studio.plugins
        check_controls((use,))
        units = resolved((use,), model, self._studio.models, plugins.registry.controls())
        unit = check_preprocessors(plugins, GenerationRequest(controls=units)).controls[0]
        owned = plugins.registry.preprocessors().get(unit.preprocessor)
        options = with_defaults(owned.noun.params, unit.options) if owned is not None else {}
        return ControlUse(unit.kind, unit.image, unit.preprocessor, resize=unit.resize, options=options)

    def _ask(self, ask: ControlAsk) -> Image.Image:
        engine = self._studio.engine_state()
        if engine["state"] in ("installing", "failed"):
            raise RequestError("controls", engine["note"])
        answer: Future[ControlMade] = Future()
        self._studio.engine.preprocess(ask, answer.set_result)
        try:
            made = answer.result(timeout=self._longest)
        except TimeoutError:
            raise RequestError(
                "controls", f"The control picture was not ready after {self._longest:.0f} seconds; try again."
            ) from None
        if made.picture is None:
            raise RequestError(made.field or "controls", made.error)
        return Image.frombytes(made.picture.mode, (made.picture.width, made.picture.height), made.picture.rgb)

    def _keep(self, key: str, made: bytes) -> None:
        with self._lock:
            self._kept[key] = made
            while sum(map(len, self._kept.values())) > MOST_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)

    def _forget(self) -> None:
        with self._lock:
            self._kept.clear()


def _checked(size: Sequence[int] | None) -> Size | None:
    if size is None:
        return None
    whole = len(size) == 2 and all(isinstance(side, int) and not isinstance(side, bool) for side in size)
    if not whole or not all(SMALLEST_SIDE <= side <= MAX_SIDE for side in size):
        shown = " × ".join(str(side)[:20] for side in size[:3])
        raise RequestError("size", f"{shown} won't work: each side must be {SMALLEST_SIDE} to {MAX_SIDE} pixels.")
    return Size(*size)


def _file(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
