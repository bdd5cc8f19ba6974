"""An engine without a model: it paints the request with Pillow, with steps and previews like the real one.

For tests and for looking at the page on any machine. The same prompt and seed give the same picture.
"""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from math import cos, radians, sin
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

from toolkit.engine.control import Control, Drawn
from toolkit.engine.preprocessing import ControlAsk, Preprocessing, Told
from toolkit.engine.protocol import EngineJob, OnDeath, OnEvent, Picture
from toolkit.engine.runner import JobRunner
from toolkit.errors import Cancelled, EngineError
from toolkit.geometry import Size
from toolkit.masking import filled, fitting_mask, paste_back, untouched
from toolkit.models import ModelIndex
from toolkit.resizing import extended, resized
from toolkit.samplers import find_sampler
from toolkit.starts import AsIs, FromImage, Inpaint, Outpaint

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins
    from toolkit.request import GenerationRequest

_COLOURS = {
    "red": "#e4433d", "orange": "#f4913a", "yellow": "#f7cf46", "green": "#55a85b", "teal": "#2f9c95",
    "blue": "#3f7fd0", "purple": "#8a5cc0", "pink": "#ef8fb4", "brown": "#8c5f3c", "black": "#26262b",
    "white": "#f6f4ee", "gray": "#9a9da3",
}  # fmt: skip
_SHAPES = {"circle": 0, "moon": 0, "triangle": 3, "tree": 3, "square": 4, "house": 4, "star": 10}
_NO_THINGS = {"and", "the", "with", "background", "style", "flat"}
_PREVIEW = 256


class SketchEngine:
    """Paints coloured shapes from the words of the prompt; `step_seconds` is how long a step lasts, from the
    next step on when it is changed.

    With `models`, a request for a model that can't be found fails like anywhere else.
    """

    def __init__(
        self, models: ModelIndex | None = None, *, step_seconds: float = 0.0, capacity: int = 1,
        plugins: Plugins | None = None,
    ) -> None:  # fmt: skip
        self.capacity, self.express = capacity, 0
        self._models = models
        self.step_seconds = step_seconds
        self._runner = JobRunner(self._draw, capacity, plugins)
        self._preprocessing = Preprocessing(lambda: self._runner.plugins)

    def start(self, on_event: OnEvent, on_death: OnDeath) -> None:
        self._runner.start(on_event)

    def submit(self, job: EngineJob) -> None:
        self._runner.submit(job)

    def cancel(self, job_id: str) -> None:
        self._runner.cancel(job_id)

    def skip(self, job_id: str, picture: int | None = None) -> None:
        self._runner.skip(job_id, picture)

    def warm(self, model: str) -> None:
        """A sketch has nothing to load."""

    def preprocess(self, ask: ControlAsk, told: Told) -> None:
        self._preprocessing.ask(ask, told)

    def stats(self) -> Mapping[str, Any]:
        return {"engine": "sketch", "alive": True, "device": "cpu", "dtype": "none", "models": []}

    def close(self) -> None:
        self._runner.close()

    def _draw(self, job: EngineJob, control: Control) -> Drawn:
        request = job.request
        control.phase("loading")
        if self._models is not None:
            self._models.find(request.model)
        if request.sampling.sampler != "auto":
            find_sampler(request.sampling.sampler)
        control.phase("encoding")
        facts: dict[str, Any] = {"engine": "sketch", "dtype": "none", "device": "cpu", "batch": 1}
        pictures = [started(job, index, facts) for index in range(request.count)]
        control.phase("denoising")
        for step in range(1, control.steps + 1):
            if control.stopped.wait(self.step_seconds):
                control.checkpoint()
            control.step(tuple(_preview(picture, step / control.steps) for picture in pictures))
            if not control.skips.left(range(request.count)):
                raise Cancelled("Every picture of the job was skipped.")
        control.phase("decoding")
        kept = control.skips.settle(range(request.count))
        if not kept:
            raise Cancelled("Every picture of the job was skipped.")
        drawn = tuple(Picture(*pictures[index].size, pictures[index].tobytes()) for index in kept)
        return Drawn(drawn, facts, indices=tuple(kept))


def started(job: EngineJob, index: int, facts: dict[str, Any]) -> Image.Image:
    """Picture `index` of a job, painted over what it starts from; `facts` are given what metadata says of it."""
    start, request = job.request.start, job.request
    match start:
        case AsIs():
            return _input(job, start.image)
        case FromImage():
            size = _final(request, request.size or Size(256, 256))
            under = resized(_input(job, start.image), size, start.resize)
            return Image.blend(under, _painted(request, index, size), start.strength)
        case Inpaint():
            under = _input(job, start.image)
            mask = fitting_mask(_input(job, start.mask), Size(*under.size))
        case Outpaint():
            picture = _input(job, start.image)
            under = extended(picture, start.left, start.top, start.right, start.bottom)
            mask = Image.new("L", under.size, 255)
            corner = (start.left, start.top)
            mask.paste(0, (*corner, start.left + picture.width, start.top + picture.height))
        case _:
            return _painted(request, index, _final(request, request.size or Size(256, 256)))
    facts["untouched"] = untouched(under, mask)
    ground = filled(under, mask) if start.fill == "fill" else under
    over = Image.blend(ground, _painted(request, index, Size(*under.size)), start.strength * 0.7)
    return paste_back(under, over, mask, start.feather)


def _input(job: EngineJob, sha: str) -> Image.Image:
    if sha not in job.pictures:
        raise EngineError("The picture that this starts from did not reach the engine.")
    with Image.open(io.BytesIO(job.pictures[sha]), formats=["PNG"]) as image:
        image.load()
        return image


def _final(request: GenerationRequest, size: Size) -> Size:
    scale = request.refine.scale if request.refine is not None else 1.0
    return Size(round(size.width * scale), round(size.height * scale)).snap(8)


def _painted(request: GenerationRequest, index: int, size: Size) -> Image.Image:
    seed, variation = request.seed or 0, request.variation
    turned = None if variation is None else (variation.seed + index, variation.strength)
    return paint(request.prompt, seed if turned else seed + index, size, turned, request.tile)


def paint(
    prompt: str, seed: int, size: Size, turned: tuple[int, float] | None = None, tile: str = ""
) -> Image.Image:  # fmt: skip
    """A picture of coloured shapes, one for each word that is not a colour; the last colour is the background.

    `turned` (seed, strength) moves the shapes towards where that other seed has them; with `tile` ("x", "y", "xy")
    what leaves the picture on one side comes back on the other.
    """
    other = random.Random(f"{prompt}\n{turned[0]}") if turned else None
    share = turned[1] if turned else 0.0
    chance = random.Random(f"{prompt}\n{seed}")
    words = [word.strip(".,;:!?()").lower() for word in prompt.split()]
    colours = [_COLOURS[word] for word in words if word in _COLOURS] or chance.sample(list(_COLOURS.values()), 3)
    others = [word for word in words if len(word) > 2 and word not in _COLOURS and word not in _NO_THINGS]
    things = others[:5] or ["circle"]
    ground = colours.pop() if len(colours) > 1 else chance.choice(["#f6f4ee", "#26262b", "#dfe8ef"])
    picture = Image.new("RGB", size, ground)
    pen = ImageDraw.Draw(picture)
    for number, word in enumerate(things):
        colour = colours[number % len(colours)]
        own = [chance.uniform(0.14, 0.3), chance.uniform(0.25, 0.75), chance.uniform(0.25, 0.75)]
        corners = _SHAPES.get(word, chance.choice([0, 3, 4, 5, 6, 10]))
        turn = chance.uniform(0, 360)
        if other is not None:
            theirs = [other.uniform(0.14, 0.3), other.uniform(0.25, 0.75), other.uniform(0.25, 0.75)]
            own = [one + (two - one) * share for one, two in zip(own, theirs, strict=True)]
        radius = min(size) * own[0]
        for across in (-size.width, 0, size.width) if "x" in tile else (0,):
            for down in (-size.height, 0, size.height) if "y" in tile else (0,):
                x, y = size.width * own[1] + across, size.height * own[2] + down
                if corners == 0:
                    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
                else:
                    pen.polygon(_polygon(x, y, radius, corners, turn), fill=colour)
    return picture


def _polygon(x: float, y: float, radius: float, corners: int, turn: float) -> list[tuple[float, float]]:
    """Corners of a regular polygon; ten corners are drawn as a star of five points."""
    points = []
    for number in range(corners):
        length = radius * (0.42 if corners == 10 and number % 2 else 1.0)
        angle = radians(turn + 360 * number / corners)
        points.append((x + length * cos(angle), y + length * sin(angle)))
    return points


def _preview(picture: Image.Image, done: float) -> bytes:
    """The picture as coarse as it would be with this share of the steps done, as a small JPEG."""
    small = Size(*picture.size).fit(_PREVIEW)
    cells = Size(*(max(2, round(side * done**2)) for side in small))
    coarse = picture.resize(cells, Image.Resampling.BOX).resize(small, Image.Resampling.BILINEAR)
    file = io.BytesIO()
    coarse.save(file, "JPEG", quality=70)
    return file.getvalue()
