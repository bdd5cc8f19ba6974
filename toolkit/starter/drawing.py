"""Draws a scene with Pillow at twice the size and reduces it: several hundred of 256 x 256 a second on a core."""

import math
import random
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw

from toolkit.starter.world import PLACES, Scene, Thing, table

Colour = tuple[int, int, int]
INK = (24, 24, 30)


class Pen:
    """Draws shapes in the unit coordinates of one thing: (0, 0) its centre, 1 its half size."""

    def __init__(self, draw: ImageDraw.ImageDraw, x: float, y: float, half: float, outlined: bool):
        self.draw, self.x, self.y, self.half = draw, x, y, half
        self.ink = INK if outlined else None
        self.width = max(8, int(half * 0.11)) if outlined else 0

    def at(self, points) -> list[tuple[float, float]]:
        """Pixel coordinates of unit points."""
        return [(self.x + x * self.half, self.y + y * self.half) for x, y in points]

    def polygon(self, points, fill: Colour, inked: bool = True) -> None:
        """A filled polygon with the style's outline."""
        corners = self.at(points)
        self.draw.polygon(corners, fill=fill)
        if self.ink and inked:
            self.draw.line([*corners, corners[0], corners[1]], fill=self.ink, width=self.width, joint="curve")

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour, inked: bool = True) -> None:
        """A filled ellipse around unit point (x, y)."""
        ink = self.ink if inked else None
        self.draw.ellipse([*self.at([(x - rx, y - ry), (x + rx, y + ry)])[0], *self.at([(x + rx, y + ry)])[0]],
                          fill=fill, outline=ink, width=self.width if ink else 0)  # fmt: skip

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, inked: bool = True) -> None:
        """A filled rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, inked)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor below 1) or lighter, kept in 0..255."""
    return tuple(max(0, min(255, int(value * factor))) for value in colour)


def _circle(pen: Pen, c: Colour) -> None:
    pen.ellipse(0, 0, 0.95, 0.95, c)


def _square(pen: Pen, c: Colour) -> None:
    pen.box(-0.85, -0.85, 0.85, 0.85, c)


def _triangle(pen: Pen, c: Colour) -> None:
    pen.polygon([(0, -0.95), (1, 0.8), (-1, 0.8)], c)


def _star(pen: Pen, c: Colour) -> None:
    radii = (1.08, 0.45) * 5
    pen.polygon([(r * math.sin(i * math.pi / 5), -r * math.cos(i * math.pi / 5)) for i, r in enumerate(radii)], c)


def _heart(pen: Pen, c: Colour) -> None:
    turns = [i / 48 * 2 * math.pi for i in range(48)]
    pen.polygon(
        [
            (math.sin(t) ** 3, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16)
            for t in turns
        ],
        c,
    )


def _moon(pen: Pen, c: Colour) -> None:
    outer = [(math.cos(t), math.sin(t)) for t in np.linspace(math.pi * 0.33, math.pi * 1.67, 30)]
    inner = [(0.42 + 0.78 * math.cos(t), 0.87 * math.sin(t)) for t in np.linspace(math.pi * 1.5, math.pi * 0.5, 30)]
    pen.polygon([(x + 0.15, y) for x, y in outer + inner], c)


def _house(pen: Pen, c: Colour) -> None:
    pen.box(-0.75, -0.1, 0.75, 0.95, c)
    pen.polygon([(-1, -0.1), (0, -1), (1, -0.1)], shade(c, 0.7))
    pen.box(-0.2, 0.3, 0.2, 0.95, shade(c, 0.45), inked=False)


def _tree(pen: Pen, c: Colour) -> None:
    pen.box(-0.15, 0.3, 0.15, 1, (110, 72, 42))
    pen.ellipse(0, -0.28, 0.75, 0.7, c)


def _flower(pen: Pen, c: Colour) -> None:
    pen.box(-0.07, 0, 0.07, 1, (60, 140, 70), inked=False)
    for i in range(5):
        turn = i * math.tau / 5 - math.pi / 2
        pen.ellipse(0.45 * math.cos(turn), -0.3 + 0.45 * math.sin(turn), 0.32, 0.32, c)
    pen.ellipse(0, -0.3, 0.26, 0.26, (250, 212, 50) if c[2] > 70 or c[0] < 200 else (250, 250, 245), inked=False)


def _boat(pen: Pen, c: Colour) -> None:
    pen.box(-0.06, -0.95, 0.06, 0.45, (90, 60, 40), inked=False)
    pen.polygon([(0.12, -0.9), (0.85, 0.2), (0.12, 0.2)], shade(c, 0.75))
    pen.polygon([(-1, 0.35), (1, 0.35), (0.62, 0.92), (-0.62, 0.92)], c)


def _car(pen: Pen, c: Colour) -> None:
    pen.polygon([(-0.5, -0.5), (0.35, -0.5), (0.65, 0), (-0.7, 0)], shade(c, 0.75))
    pen.box(-1, -0.05, 1, 0.45, c)
    for x in (-0.55, 0.55):
        pen.ellipse(x, 0.48, 0.27, 0.27, (35, 35, 40), inked=False)
        pen.ellipse(x, 0.48, 0.12, 0.12, (190, 190, 195), inked=False)


def _fish(pen: Pen, c: Colour) -> None:
    pen.polygon([(0.4, 0), (1, -0.55), (1, 0.55)], shade(c, 0.75))
    pen.ellipse(-0.15, 0, 0.8, 0.55, c)
    pen.ellipse(-0.55, -0.12, 0.13, 0.13, (250, 250, 250), inked=False)
    pen.ellipse(-0.57, -0.12, 0.07, 0.07, (15, 15, 15), inked=False)


def _cat(pen: Pen, c: Colour) -> None:
    for k in (-1, 1):
        pen.polygon([(k * 0.75, -1), (k * 0.78, 0), (k * 0.1, -0.5)], c)
    pen.ellipse(0, 0.1, 0.85, 0.75, c)
    for k in (-1, 1):
        pen.ellipse(k * 0.35, 0, 0.16, 0.19, (250, 250, 250), inked=False)
        pen.ellipse(k * 0.33, 0.02, 0.09, 0.12, (15, 15, 15), inked=False)
    pen.polygon([(-0.12, 0.3), (0.12, 0.3), (0, 0.45)], (240, 130, 150), inked=False)


def _cup(pen: Pen, c: Colour) -> None:
    box = [*pen.at([(0.25, -0.35)])[0], *pen.at([(0.95, 0.4)])[0]]
    pen.draw.arc(box, -90, 90, fill=shade(c, 0.75), width=max(6, int(pen.half * 0.17)))
    pen.polygon([(-0.65, -0.65), (0.65, -0.65), (0.5, 0.75), (-0.5, 0.75)], c)


SHAPES: dict[str, Callable[[Pen, Colour], None]] = {
    "circle": _circle, "square": _square, "triangle": _triangle, "star": _star, "heart": _heart, "moon": _moon,
    "house": _house, "tree": _tree, "flower": _flower, "boat": _boat, "car": _car, "fish": _fish, "cat": _cat,
    "cup": _cup,
}  # fmt: skip


def jitter(colour: Colour, rng: random.Random, amount: int) -> Colour:
    """The colour moved by up to `amount` in each channel."""
    return tuple(max(0, min(255, value + rng.randint(-amount, amount))) for value in colour)


def gradient_end(colour: Colour) -> Colour:
    """The lower end of a gradient that starts with `colour`: darker for light colours, lighter for dark ones."""
    if sum(colour) > 330:
        return shade(colour, 0.5)
    return tuple(int(value * 0.35 + 235 * 0.65) for value in colour)


def stripe(colour: Colour) -> Colour:
    """The second colour of a striped background."""
    return shade(colour, 0.82) if sum(colour) > 240 else tuple(value + 34 for value in colour)


def background_image(scene: Scene, rng: random.Random, side: int) -> Image.Image:
    """What lies behind the things."""
    colours = table(scene.style, ground=True)
    base = jitter(colours[scene.background], rng, 7)
    image = Image.new("RGB", (side, side), base)
    draw = ImageDraw.Draw(image)
    if scene.kind == "gradient":
        ramp = np.linspace(0, 1, side)[:, None, None]
        rows = np.array(base) * (1 - ramp) + np.array(gradient_end(base)) * ramp
        image = Image.fromarray(np.broadcast_to(rows, (side, side, 3)).astype("uint8").copy())
    elif scene.kind == "striped":
        width = side // 8
        for x in range(width, side, 2 * width):
            draw.rectangle([x, 0, x + width - 1, side], fill=stripe(base))
    elif scene.kind == "ground":
        top = int(side * rng.uniform(0.68, 0.74))
        draw.rectangle([0, top, side, side], fill=jitter(colours[scene.ground], rng, 7))
    return image


Spot = tuple[float, float, float]


def place_things(scene: Scene, rng: random.Random, side: int) -> Iterator[tuple[Thing, Spot]]:
    """Each thing with its centre and half size in pixels, drawn at random as it is asked for."""
    for index, thing in enumerate(scene.things):
        if len(scene.things) == 2:
            (x, y), half = ((0.27, 0.73)[index], 0.5), rng.uniform(0.16, 0.195)
        else:
            x, y = PLACES.get(thing.place, (0.5, 0.5))
            half = rng.uniform(0.17, 0.2) if thing.place else rng.uniform(0.25, 0.29)
            half = {"big": rng.uniform(0.36, 0.4), "small": rng.uniform(0.13, 0.16)}.get(thing.size, half)
        x, y = x + rng.uniform(-0.02, 0.02), y + rng.uniform(-0.02, 0.02)
        yield thing, (x * side, y * side, half * side)


def place_anywhere(scene: Scene, rng: random.Random, side: int) -> Iterator[tuple[Thing, Spot]]:
    """Each thing wherever it fits and of any size; the first of two stays the left one."""
    for index, thing in enumerate(scene.things):
        room = 1 / len(scene.things)
        half = rng.uniform(0.13, 0.46 if room == 1 else 0.22)
        reach = min(half * 1.05, room / 2)
        x, y = rng.uniform(reach, room - reach) + index * room, rng.uniform(reach, 1 - reach)
        yield thing, (x * side, y * side, half * side)


def draw_scene(scene: Scene, rng: random.Random, side: int = 256, place=place_things) -> np.ndarray:
    """The scene as uint8 pixels (side, side, 3), with small random differences of place, size and colour from `rng`.

    The same `rng` gives the same lines whatever the colours.
    """
    big = side * 2
    image = background_image(scene, rng, big)
    draw = ImageDraw.Draw(image)
    colours = table(scene.style)
    for thing, (x, y, half) in place(scene, rng, big):
        pen = Pen(draw, x, y, half, scene.style == "outline")
        SHAPES[thing.kind](pen, jitter(colours[thing.colour], rng, 9))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))
