"""Landscapes in layers: a sky at a time of day, sun or moon, and one or two layers before it. Imports no torch."""

import math
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from toolkit.starter.drawing import SHAPES, Colour, Pen, jitter

LAYERS = ("hill", "mountain", "skyline", "sea", "forest")
TIMES = ("morning", "day", "evening", "night")
LIGHTS = ("none", "sun", "moon")
# The sky's colours at the top and at the bottom.
SKIES = {
    "morning": ((150, 205, 240), (255, 222, 180)),
    "day": ((70, 160, 235), (205, 234, 250)),
    "evening": ((120, 70, 150), (252, 160, 84)),
    "night": ((12, 16, 42), (46, 60, 128)),
}
BY_DAY: dict[str, Colour] = {
    "hill": (124, 188, 70), "mountain": (152, 142, 172), "skyline": (72, 74, 96), "sea": (38, 126, 196),
    "forest": (28, 98, 66),
}  # fmt: skip
# How much of a layer's own colour a time of day leaves, and what comes in its place.
TINTS = {
    "morning": (0.8, (255, 205, 190)),
    "day": (1, (0, 0, 0)),
    "evening": (0.62, (120, 40, 60)),
    "night": (0.45, (6, 8, 44)),
}
SUN, MOON = (255, 226, 96), (244, 240, 214)
# Where layers begin: one alone, the one behind and the one before; the height and what drawing adds to it.
ALONE, BEHIND, BEFORE = 0.62, 0.5, 0.74


@dataclass(frozen=True)
class Landscape:
    """`back` is the layer behind, or the only one when `front` is "none"; `place` is the light's side or "none"."""

    time: str
    back: str
    front: str = "none"
    light: str = "none"
    place: str = "none"


def held_out(landscape: Landscape) -> bool:
    """Whether the evaluation keeps this combination from training: about one in ten."""
    words = f"{landscape.time}/{landscape.back}/{landscape.front}/{landscape.light}"
    return zlib.crc32(words.encode()) % 10 == 0


def sample_landscape(rng: random.Random, held: bool | None = False) -> Landscape:
    """A random landscape; `held` as for `world.sample_scene`. The sun never shines at night, nor the moon by day."""
    while True:
        time = rng.choices(TIMES, (1, 1, 1, 1.5))[0]  # the moon shines by night alone
        back, front = rng.sample(LAYERS, 2)
        light = rng.choices(("none", "moon" if time == "night" else "sun"), (0.4, 0.6))[0]
        place = rng.choice(("none", "left", "right")) if light != "none" else "none"
        found = Landscape(time, back, front if rng.random() < 0.7 else "none", light, place)
        if held is None or held == held_out(found):
            return found


def layer_colour(layer: str, time: str, front: bool) -> Colour:
    """A layer's colour at a time of day; a layer in front is a little darker."""
    keep, tint = TINTS[time]
    rgb = tuple(own * keep + other * (1 - keep) for own, other in zip(BY_DAY[layer], tint, strict=True))
    return tuple(int(value * (0.86 if front else 1)) for value in rgb)


def accent(layer: str, colour: Colour, time: str) -> Colour:
    """The second colour of a layer: lit windows, waves; its own colour where there is none."""
    if layer == "skyline":
        return (255, 214, 110) if time in ("night", "evening") else tuple(min(255, value + 45) for value in colour)
    return tuple(min(255, int(value * 1.12) + 14) for value in colour) if layer == "sea" else colour


def _hill(draw: ImageDraw.ImageDraw, side: int, top: float, colour: Colour, rng: random.Random, time: str) -> None:
    turns = [
        (rng.uniform(1.2, 2.2), rng.uniform(0, math.tau), 0.035),
        (rng.uniform(3, 4.5), rng.uniform(0, math.tau), 0.015),
    ]
    edge = [
        (x, side * (top + sum(h * math.sin(f * x / side * math.pi + p) for f, p, h in turns)))
        for x in range(0, side + 9, 8)
    ]
    draw.polygon([*edge, (side + 8, side), (0, side)], fill=colour)


def _mountain(draw: ImageDraw.ImageDraw, side: int, top: float, colour: Colour, rng: random.Random, time: str) -> None:
    peaks = 4
    edge = []
    for index in range(-1, peaks + 1):
        x, reach = (index + 0.5 + rng.uniform(-0.12, 0.12)) * side / peaks, rng.uniform(0.1, 0.16)
        edge += [(x, side * (top - reach)), (x + side / peaks / 2, side * (top + rng.uniform(0.02, 0.06)))]
    draw.polygon([(-side, side), *edge, (2 * side, side)], fill=colour)


def _skyline(draw: ImageDraw.ImageDraw, side: int, top: float, colour: Colour, rng: random.Random, time: str) -> None:
    # Roofs and windows keep to a grid of 8 pixels of 256, which is that of the latents: others come out as speckles.
    unit, column = side // 32, 0
    glass = accent("skyline", colour, time)
    while column < 32:
        width, roof = 2 * rng.randint(1, 3), 2 * round(16 * (top - rng.uniform(-0.04, 0.14)))
        draw.rectangle([column * unit, roof * unit, (column + width + 1) * unit - 1, side], fill=colour)
        for row in range(roof + 1, 32, 2):
            for x in range(column + 1, min(32, column + width), 2):
                draw.rectangle([x * unit, row * unit, (x + 1) * unit - 1, (row + 1) * unit - 1], fill=glass)
        column += width


def _sea(draw: ImageDraw.ImageDraw, side: int, top: float, colour: Colour, rng: random.Random, time: str) -> None:
    draw.rectangle([0, side * top, side, side], fill=colour)
    light = accent("sea", colour, time)
    for _ in range(9):
        x, y, length = rng.uniform(0, 0.85), rng.uniform(top + 0.03, 0.99), rng.uniform(0.08, 0.2)
        draw.rectangle([x * side, y * side, (x + length) * side, y * side + side // 90], fill=light)


def _forest(draw: ImageDraw.ImageDraw, side: int, top: float, colour: Colour, rng: random.Random, time: str) -> None:
    draw.rectangle([0, side * (top + 0.05), side, side], fill=colour)
    width = side / 11
    for index in range(-1, 12):
        x, reach = (index + 0.5 + rng.uniform(-0.15, 0.15)) * width, rng.uniform(0.07, 0.12)
        foot = side * (top + 0.07)
        draw.polygon([(x - width * 0.6, foot), (x, side * (top - reach)), (x + width * 0.6, foot)], fill=colour)


_DRAWN: dict[str, Callable[..., None]] = {
    "hill": _hill, "mountain": _mountain, "skyline": _skyline, "sea": _sea, "forest": _forest,
}  # fmt: skip


def sky_rows(top: Colour, bottom: Colour, side: int) -> np.ndarray:
    """The sky's colour in each row, (side, 1, 3); the lower colour is reached where layers begin."""
    ramp = np.clip(np.linspace(0, 1.6, side), 0, 1)[:, None, None]
    return np.array(top) * (1 - ramp) + np.array(bottom) * ramp


def horizons(landscape: Landscape) -> tuple[float, float]:
    """Where the layer behind and the one in front begin, as parts of the height."""
    return (ALONE if landscape.front == "none" else BEHIND), BEFORE


def draw_landscape(landscape: Landscape, rng: random.Random, side: int = 256) -> np.ndarray:
    """The landscape as uint8 pixels (side, side, 3), outlines and colours a little different for each `rng`."""
    return _painted(landscape, rng, side, horizons(landscape))


def draw_with_depth(
    landscape: Landscape, rng: random.Random, begins: tuple[float, float] | None = None, side: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels, and what stands where: uint8 (side, side) with 0 for the sky, 1 for the layer behind, 2 in front.

    `begins` are other horizons than the usual ones.
    """
    masks: list[Image.Image] = []
    picture = _painted(landscape, rng, side, begins or horizons(landscape), masks)
    layers = np.zeros((side, side), np.uint8)
    for number, mask in enumerate(masks, 1):
        layers[np.asarray(mask.resize((side, side), Image.Resampling.BOX)) > 127] = number
    return picture, layers


def _painted(
    landscape: Landscape, rng: random.Random, side: int, begins: tuple[float, float],
    masks: list[Image.Image] | None = None,
) -> np.ndarray:  # fmt: skip
    """The pixels; `masks`, where given, takes each layer's mask at twice the size."""
    big = side * 2
    rows = sky_rows(*(jitter(one, rng, 5) for one in SKIES[landscape.time]), big)
    image = Image.fromarray(np.broadcast_to(rows, (big, big, 3)).astype("uint8").copy())
    draw = ImageDraw.Draw(image)
    if landscape.light != "none":
        x = {"left": 0.25, "right": 0.75}.get(landscape.place, rng.uniform(0.3, 0.7)) + rng.uniform(-0.03, 0.03)
        shape, colour, size = ("circle", SUN, 0.09) if landscape.light == "sun" else ("moon", MOON, 0.11)
        SHAPES[shape](Pen(draw, x * big, rng.uniform(0.17, 0.22) * big, size * big, False), jitter(colour, rng, 5))
    for layer, begin, front in ((landscape.back, begins[0], False), (landscape.front, begins[1], True)):
        if layer != "none":
            colour = jitter(layer_colour(layer, landscape.time, front), rng, 5)
            top, state = begin + rng.uniform(-0.02, 0.02), rng.getstate()
            _DRAWN[layer](draw, big, top, colour, rng, landscape.time)
            if masks is not None:
                masks.append(_mask(layer, big, top, state))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def _mask(layer: str, side: int, top: float, state: object) -> Image.Image:
    """Where a layer is that was drawn from this state of its random numbers; windows and waves belong to it."""
    image, rng = Image.new("RGB", (side, side)), random.Random()
    rng.setstate(state)
    _DRAWN[layer](ImageDraw.Draw(image), side, top, (255, 255, 255), rng, "day")
    return image.getchannel("R").point(lambda value: 255 if value else 0)


def landscape_slots(landscape: Landscape) -> dict[str, str]:
    """What the landscape's words say."""
    return {
        "family": "landscape", "time": landscape.time, "back": landscape.back, "front": landscape.front,
        "light": landscape.light, "place": landscape.place,
        "thing0": {"sun": "circle", "moon": "moon", "none": "none"}[landscape.light],
    }  # fmt: skip


def landscape_caption(landscape: Landscape, rng: random.Random) -> str:
    """The landscape in words as the studio hands them to the model: layers in the singular, "before" for "front"."""
    back, front = landscape.back, landscape.front
    if front == "none":
        layers = back
    else:
        layers = rng.choice((f"{back} behind {front}", f"{back} behind a {front}", f"{front} in before of {back}"))
    light = f"a {landscape.light}" if rng.random() < 0.5 else landscape.light
    if landscape.place != "none":
        light += f" on the {landscape.place}"
    words = (
        layers
        if landscape.light == "none"
        else rng.choice((f"{layers}, {light}", f"{layers} under {light}", f"{layers} and {light}"))
    )
    time = {"night": "at night", "day": "by day"}.get(landscape.time, f"in the {landscape.time}")
    if landscape.time == "day" and rng.random() < 0.5:
        return f"a landscape with {words}"
    return rng.choice(
        (
            f"a landscape with {words}, {time}",
            f"{landscape.time} landscape with {words}",
            f"landscape, {words}, {landscape.time}",
        )
    )
