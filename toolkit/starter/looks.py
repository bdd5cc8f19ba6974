"""Draws a scene in looks the base model can't do: neon, linocut, blueprint, risograph. The style LoRAs learn from them.

Every look keeps a scene's geometry: the same scene and seed have the same things in the same places as `draw_scene`
has. Marks are several pixels wide, because the autoencoder keeps four numbers for each 8 x 8 of them.
"""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from toolkit.starter.drawing import SHAPES, Colour, Pen, Spot, background_image, jitter, place_things, shade
from toolkit.starter.world import COLOURS, Scene

PAPER = (244, 236, 220)
BLUEPRINT, CHALK = (30, 72, 150), (236, 242, 250)
# How much of the pink, the blue and the yellow ink stands for each colour, and how far each plate is off (down, right).
COVERS = {
    "red": (1, 0, 1), "orange": (0.5, 0, 1), "yellow": (0, 0, 1), "green": (0, 1, 1), "teal": (0, 1, 0.5),
    "blue": (0, 1, 0), "purple": (1, 1, 0), "pink": (1, 0, 0), "brown": (1, 0.5, 1), "black": (1, 1, 1),
    "white": (0, 0, 0), "gray": (0.4, 0.5, 0.2),
}  # fmt: skip
INKS = np.array([(255, 76, 120), (32, 104, 190), (255, 214, 40)], np.float32) / 255
SHIFTS = ((6, -7), (0, 0), (-6, 6))


class LinePen(Pen):
    """A pen that draws outlines only; parts that would not be inked, such as eyes, stay filled."""

    def __init__(self, draw: ImageDraw.ImageDraw, spot: Spot, width: int, line: Colour):
        super().__init__(draw, *spot, False)
        self.width, self.line = width, line

    def polygon(self, points, fill: Colour, inked: bool = True) -> None:
        """A polygon's outline."""
        corners = self.at(points)
        if inked:
            self.draw.line([*corners, corners[0], corners[1]], fill=self.line, width=self.width, joint="curve")
        else:
            self.draw.polygon(corners, fill=self.line)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour, inked: bool = True) -> None:
        """An ellipse's outline."""
        box = [*self.at([(x - rx, y - ry)])[0], *self.at([(x + rx, y + ry)])[0]]
        if inked or rx > 0.2:
            self.draw.ellipse(box, outline=self.line, width=self.width)
        else:
            self.draw.ellipse(box, fill=self.line)


class _White:
    """Passes drawing on to `draw`, in white whatever the colour asked for."""

    def __init__(self, draw: ImageDraw.ImageDraw):
        self.draw = draw

    def polygon(self, points, fill: Colour) -> None:
        self.draw.polygon(points, fill=255)

    def ellipse(self, box, fill: Colour, outline: Colour | None, width: int) -> None:
        self.draw.ellipse(box, fill=255)

    def arc(self, box, start: float, end: float, fill: Colour, width: int) -> None:
        self.draw.arc(box, start, end, fill=255, width=width)


def _silhouette(kind: str, spot: Spot, side: int) -> Image.Image:
    mask = Image.new("L", (side, side))
    SHAPES[kind](Pen(_White(ImageDraw.Draw(mask)), *spot, False), PAPER)
    return mask


def _reduced(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX))


def _background(scene: Scene, rng: random.Random, side: int) -> Image.Image:
    return background_image(replace(scene, style="flat"), rng, side)


def _neon(scene: Scene, rng: random.Random, side: int) -> np.ndarray:
    """Glowing tubes in the things' colours on a dark wall that keeps a breath of the background's colour."""
    wall = _reduced(_background(scene, rng, side)) * np.float32(0.16) + np.array([6, 6, 14], np.float32)
    tubes = Image.new("RGB", (side, side))
    draw = ImageDraw.Draw(tubes)
    for thing, spot in place_things(scene, rng, side):
        colour = np.array(jitter(COLOURS[thing.colour], rng, 9), np.float32)
        bright = colour * min(2.5, 245 / colour.max()) if thing.colour != "black" else np.array([120, 105, 165])
        tube = tuple(int(value) for value in bright)
        SHAPES[thing.kind](LinePen(draw, spot, max(14, int(spot[2] * 0.13)), tube), tube)
    lit = tubes.resize((side // 2, side // 2), Image.Resampling.BOX)
    small = lit.resize((side // 8, side // 8), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(side / 160))
    glow = np.asarray(small.resize(lit.size, Image.Resampling.BILINEAR))
    return np.maximum(wall + glow * np.float32(0.75), np.asarray(lit)).clip(0, 255).astype(np.uint8)


def _linocut(scene: Scene, rng: random.Random, side: int) -> np.ndarray:
    """A print of two blocks: gouge marks left in the inked background, a rim of bare paper around carved things."""
    image = _background(scene, rng, side).point(lambda value: value * 0.62)
    draw = ImageDraw.Draw(image)
    step = side // 8
    for row in range(9):
        for column in range(9):
            x, y = (column + row % 2 / 2) * step + rng.uniform(-5, 5), (row + 0.3) * step + rng.uniform(-5, 5)
            draw.line([x - step * 0.2, y + step * 0.2, x + step * 0.2, y - step * 0.2], fill=PAPER, width=side // 36)
    for thing, spot in place_things(scene, rng, side):
        mask = _silhouette(thing.kind, spot, side)
        rim = mask.resize((side // 4, side // 4)).filter(ImageFilter.MaxFilter(9)).resize((side, side)).point(_hard)
        image.paste(PAPER, (0, 0), rim)
        block = Image.new("RGB", (side, side), shade(jitter(COLOURS[thing.colour], rng, 9), 0.72))
        carved = ImageDraw.Draw(block)
        x, y, half = spot
        gap = max(44.0, half * 0.42)
        for k in range(8):
            top = y + half * 0.1 + gap * k
            carved.line([x - half * 1.3, top, x + half * 1.3, top - half * 0.6], fill=PAPER, width=int(gap * 0.36))
        image.paste(block, (0, 0), mask)
    return _reduced(image)


def _hard(value: int) -> int:
    return 255 if value > 127 else 0


def _blueprint(scene: Scene, rng: random.Random, side: int) -> np.ndarray:
    """White lines on blue squared paper; nothing keeps a colour of its own."""
    blue = jitter(BLUEPRINT, rng, 6)
    image = Image.new("RGB", (side, side), blue)
    draw = ImageDraw.Draw(image)
    step, faint = side // 4, tuple(value + 52 for value in blue)
    for k in range(step // 2 + 8, side, step):
        draw.line([k, 0, k, side], fill=faint, width=side // 64)
        draw.line([0, k, side, k], fill=faint, width=side // 64)
    if scene.kind == "ground":
        draw.line([0, int(side * 0.71), side, int(side * 0.71)], fill=CHALK, width=side // 40)
    for thing, spot in place_things(scene, rng, side):
        image.paste(shade(blue, 1.25), (0, 0), _silhouette(thing.kind, spot, side))
        SHAPES[thing.kind](LinePen(draw, spot, max(14, side // 36), CHALK), CHALK)
    return _reduced(image)


def _screen(side: int) -> np.ndarray:
    """A halftone screen of large dots: paper is covered where it is below the share asked for."""
    y, x = np.mgrid[:side, :side] * (2 * np.pi * 7 / side)
    return (2 - np.cos(x) - np.cos(y)).astype(np.float32) / 4


def _risograph(scene: Scene, rng: random.Random, side: int) -> np.ndarray:
    """Three spot inks on paper: things in full, a light tint with dots behind them, the plates out of register."""
    small = side // 2
    dots = _screen(small)
    ink = np.zeros((3, small, small), np.float32)
    for plate, cover in zip(ink, COVERS[scene.background], strict=True):
        plate[:] = np.where(dots < 0.3, 0.75, 0.3) * cover
    for plate, cover in zip(ink, COVERS[scene.ground] if scene.ground else (), strict=False):
        plate[int(small * 0.71) :] = 0.6 * cover
    for thing, spot in place_things(scene, rng, side):
        inside = np.asarray(_silhouette(thing.kind, spot, side).resize((small, small), Image.Resampling.BOX)) / 255
        ink += (np.array(COVERS[thing.colour], np.float32)[:, None, None] - ink) * inside
    plates = np.stack([np.roll(plate, shift, (0, 1)) for plate, shift in zip(ink, SHIFTS, strict=True)], -1)
    paper = np.array(PAPER, np.float32) / 255
    return (paper * np.prod(1 - plates[..., None] * (1 - INKS), axis=-2) * 255).astype(np.uint8)


LOOKS: dict[str, Callable[[Scene, random.Random, int], np.ndarray]] = {
    "neon": _neon, "linocut": _linocut, "blueprint": _blueprint, "risograph": _risograph,
}  # fmt: skip


def draw_look(look: str, scene: Scene, rng: random.Random, side: int = 256) -> np.ndarray:
    """The scene in a look, as uint8 pixels (side, side, 3)."""
    return LOOKS[look](scene, rng, side * 2)
