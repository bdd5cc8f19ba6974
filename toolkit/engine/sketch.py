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

from toolkit.engine.protocol import EngineJob, OnDeath, OnEvent, Picture
from toolkit.engine.runner import Control, Drawn, JobRunner
from toolkit.geometry import Size
from toolkit.models import ModelIndex
from toolkit.samplers import find_sampler

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins

_COLOURS = {
    "red": "#e4433d", "orange": "#f4913a", "yellow": "#f7cf46", "green": "#55a85b", "teal": "#2f9c95",
    "blue": "#3f7fd0", "purple": "#8a5cc0", "pink": "#ef8fb4", "brown": "#8c5f3c", "black": "#26262b",
    "white": "#f6f4ee", "gray": "#9a9da3",
}  # fmt: skip
_SHAPES = {"circle": 0, "moon": 0, "triangle": 3, "tree": 3, "square": 4, "house": 4, "star": 10}
_NO_THINGS = {"and", "the", "with", "background", "style", "flat"}
_PREVIEW = 256


class SketchEngine:
    """Paints coloured shapes from the words of the prompt; `step_seconds` is how long a step lasts.

    With `models`, a request for a model that can't be found fails like anywhere else.
    """

    def __init__(
        self, models: ModelIndex | None = None, *, step_seconds: float = 0.0, capacity: int = 1,
        plugins: Plugins | None = None,
    ) -> None:  # fmt: skip
        self.capacity = capacity
        self._models = models
        self._step_seconds = step_seconds
        self._runner = JobRunner(self._draw, capacity, plugins)

    def start(self, on_event: OnEvent, on_death: OnDeath) -> None:
        self._runner.start(on_event)

    def submit(self, job: EngineJob) -> None:
        self._runner.submit(job)

    def cancel(self, job_id: str) -> None:
        self._runner.cancel(job_id)

    def warm(self, model: str) -> None:
        """A sketch has nothing to load."""

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
        size = request.size or Size(256, 256)
        pictures = [paint(request.prompt, (request.seed or 0) + index, size) for index in range(request.count)]
        control.phase("denoising")
        for step in range(1, control.steps + 1):
            if control.stopped.wait(self._step_seconds):
                control.checkpoint()
            control.step(tuple(_preview(picture, step / control.steps) for picture in pictures))
        control.phase("decoding")
        drawn = tuple(Picture(size.width, size.height, picture.tobytes()) for picture in pictures)
        return Drawn(drawn, {"engine": "sketch", "dtype": "none", "device": "cpu", "batch": 1})


def paint(prompt: str, seed: int, size: Size) -> Image.Image:
    """A picture of coloured shapes, one for each word that is not a colour; the last colour is the background."""
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
        radius = min(size) * chance.uniform(0.14, 0.3)
        x, y = (side * chance.uniform(0.25, 0.75) for side in size)
        corners = _SHAPES.get(word, chance.choice([0, 3, 4, 5, 6, 10]))
        if corners == 0:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        else:
            pen.polygon(_polygon(x, y, radius, corners, chance.uniform(0, 360)), fill=colour)
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
