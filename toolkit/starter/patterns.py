"""Patterns: one motif repeated so that the picture's borders meet without a seam. Imports no torch."""

import math
import random
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from toolkit.starter.drawing import SHAPES, Colour, Pen, jitter, stripe
from toolkit.starter.palettes import PALETTES
from toolkit.starter.world import COLOURS

SHAPE_MOTIFS = ("circle", "square", "triangle", "star", "heart", "moon", "tree", "fish")
LINE_MOTIFS = ("wave", "zigzag")
MOTIFS = SHAPE_MOTIFS + LINE_MOTIFS
REPEATS = ("grid", "brick", "checkered")
# From one motif to the next in pixels of 256; all divide the picture an even number of times.
PERIODS = {"none": 64, "big": 128}


@dataclass(frozen=True)
class Pattern:
    """A motif in one colour on another, or in a palette's colours when one is named; lines have no repeat but "grid".

    `scale` is "none" or "big" (twice the distance). Half of it was tried: a motif of four latents keeps no shape.
    """

    motif: str
    repeat: str = "grid"
    scale: str = "none"
    colour: str = "none"
    background: str = "none"
    palette: str = "none"

    @property
    def period(self) -> int:
        """Pixels between two motifs in a picture of 256."""
        return PERIODS[self.scale]


def held_out(pattern: Pattern) -> bool:
    """Whether the evaluation keeps this combination from training: about one in ten."""
    words = f"{pattern.motif}/{pattern.repeat}/{pattern.colour}/{pattern.background}/{pattern.palette}"
    return zlib.crc32(words.encode()) % 10 == 0


def sample_pattern(rng: random.Random, held: bool | None = False) -> Pattern:
    """A random pattern; `held` as for `world.sample_scene`."""
    while True:
        motif = rng.choice(MOTIFS)
        repeat = "grid" if motif in LINE_MOTIFS else rng.choices(REPEATS, (0.5, 0.25, 0.25))[0]
        scale = rng.choices(tuple(PERIODS), (0.65, 0.35))[0]
        if rng.random() < 0.4:
            found = Pattern(motif, repeat, scale, palette=rng.choice(tuple(PALETTES)))
        else:
            background, colour = rng.sample(tuple(COLOURS), 2)
            found = Pattern(motif, repeat, scale, colour, background)
        if held is None or held == held_out(found):
            return found


def _colours(pattern: Pattern, rng: random.Random) -> tuple[Colour, Colour, Colour, Colour]:
    """Ground, the other cells of a checkered ground, and the two colours that motifs take in turn."""
    if pattern.palette != "none":
        ground, first, second, other, _ = PALETTES[pattern.palette]
        return tuple(jitter(one, rng, 5) for one in (ground, other, first, second))
    ground, motif = (jitter(COLOURS[name], rng, 6) for name in (pattern.background, pattern.colour))
    return ground, stripe(ground), motif, motif


def _line(pattern: Pattern, side: int, step: int, row: int) -> list[tuple[float, float]]:
    y, height = (row + 0.5) * step, step * 0.22
    if pattern.motif == "zigzag":
        return [(x * step / 2, y + (height if x % 2 else -height)) for x in range(-1, 2 * side // step + 2)]
    return [(x, y - height * math.cos(x / step * math.tau)) for x in range(-4, side + 6, 2)]


def draw_pattern(pattern: Pattern, rng: random.Random, side: int = 256) -> np.ndarray:
    """The pattern as uint8 pixels (side, side, 3); `rng` moves its colours a little."""
    big, step = side * 2, pattern.period * side * 2 // 256
    ground, other, first, second = _colours(pattern, rng)
    image = Image.new("RGB", (big, big), ground)
    draw = ImageDraw.Draw(image)
    for row in range(big // step):
        if pattern.motif in LINE_MOTIFS:
            colour = (first, second)[row % 2]
            draw.line(_line(pattern, big, step, row), fill=colour, width=int(step * 0.24), joint="curve")
            continue
        for column in range(-1, big // step + 1):
            x, y = column * step, row * step
            if pattern.repeat == "checkered" and (row + column) % 2:
                draw.rectangle([x, y, x + step - 1, y + step - 1], fill=other)
            shift = step / 2 if pattern.repeat == "brick" and row % 2 else 0
            pen = Pen(draw, x + step / 2 + shift, y + step / 2, step * 0.33, False)
            SHAPES[pattern.motif](pen, (first, second)[(row + column) % 2])
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def pattern_slots(pattern: Pattern) -> dict[str, str]:
    """What the pattern's words say."""
    thing = pattern.motif if pattern.motif in SHAPE_MOTIFS else "none"
    line = pattern.motif if pattern.motif in LINE_MOTIFS else "none"
    return {
        "family": "pattern", "thing0": thing, "line": line, "colour0": pattern.colour, "background": pattern.background,
        "palette": pattern.palette, "repeat": pattern.repeat, "scale": pattern.scale,
    }  # fmt: skip


def pattern_caption(pattern: Pattern, rng: random.Random) -> str:
    """The pattern in words, a motif named in the singular as the studio hands it to the model."""
    scale = "" if pattern.scale == "none" else f"{pattern.scale} "
    repeat = f"{pattern.repeat} " if pattern.repeat != "grid" or rng.random() < 0.15 else ""
    if pattern.palette != "none":
        motif, name = pattern.motif, pattern.palette
        end = rng.choice((f" in {name} colours", f", {name} palette", f", {name} colours"))
    else:
        motif, name = f"{pattern.colour} {pattern.motif}", pattern.background
        end = rng.choice((f" on {name}", f" on {name}", f", {name} background", f" on a {name} background"))
    if rng.random() < 0.3:
        return f"{rng.choice(('', 'a '))}{scale}{repeat}{motif} pattern{end}"
    return f"{rng.choice(('', 'a '))}{scale}{repeat}pattern {rng.choice(('of', 'of', 'with'))} {motif}{end}"
