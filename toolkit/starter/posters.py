"""Posters: geometric shapes in a palette's colours beside a calm half for text. Imports no torch."""

import random
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from toolkit.starter.drawing import SHAPES, Colour, Pen, jitter
from toolkit.starter.palettes import PALETTES

FORMS = ("circle", "square", "triangle", "arc", "bar")
SIDES = ("left", "right", "top", "bottom")
CELLS = 4


@dataclass(frozen=True)
class Poster:
    """Rows of one form in a palette's colours; `calm` is the side that stays empty, one of SIDES."""

    form: str
    palette: str
    calm: str


def held_out(poster: Poster) -> bool:
    """Whether the evaluation keeps this combination from training: about one in ten."""
    return zlib.crc32(f"{poster.form}/{poster.palette}/{poster.calm}".encode()) % 10 == 0


def sample_poster(rng: random.Random, held: bool | None = False) -> Poster:
    """A random poster; `held` as for `world.sample_scene`."""
    while True:
        found = Poster(rng.choice(FORMS), rng.choice(tuple(PALETTES)), rng.choice(SIDES))
        if held is None or held == held_out(found):
            return found


def busy(calm: str, column: int, row: int) -> bool:
    """Whether a cell of the 4 x 4 grid has a form: those in the half away from the calm side."""
    return {"left": column >= 2, "right": column < 2, "top": row >= 2, "bottom": row < 2}[calm]


def _form(draw: ImageDraw.ImageDraw, form: str, x: int, y: int, step: int, colour: Colour, turn: int) -> None:
    if form == "arc":
        centre = (x + step * (turn in (1, 2)), y + step * (turn in (2, 3)))
        draw.pieslice([centre[0] - step + 1, centre[1] - step + 1, centre[0] + step - 1, centre[1] + step - 1],
                      90 * turn, 90 * turn + 90, fill=colour)  # fmt: skip
    elif form == "bar":
        draw.rectangle([x, y + step * 0.28, x + step - 1, y + step * 0.72], fill=colour)
    else:
        SHAPES[form](Pen(draw, x + step / 2, y + step / 2, step * 0.42, False), colour)


def draw_poster(poster: Poster, rng: random.Random, side: int = 256) -> np.ndarray:
    """The poster as uint8 pixels (side, side, 3); `rng` moves its colours a little."""
    big, step = side * 2, side * 2 // CELLS
    ground, *inks = [jitter(colour, rng, 5) for colour in PALETTES[poster.palette]]
    image = Image.new("RGB", (big, big), ground)
    draw = ImageDraw.Draw(image)
    for row in range(CELLS):
        for column in range(CELLS):
            if not busy(poster.calm, column, row):
                continue
            x, y = column * step, row * step
            turn = row + 2 * column
            cell, ink = inks[turn % 4], inks[(turn + 1 + column % 2) % 4]
            if (row + column) % 2:
                draw.rectangle([x, y, x + step - 1, y + step - 1], fill=cell)
            _form(draw, poster.form, x, y, step, ink, (row + column) % 4)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def poster_slots(poster: Poster) -> dict[str, str]:
    """What the poster's words say."""
    shape = poster.form if poster.form in SHAPES else "none"
    line = poster.form if shape == "none" else "none"
    return {"family": "poster", "thing0": shape, "line": line, "palette": poster.palette, "calm": poster.calm}


def poster_caption(poster: Poster, rng: random.Random) -> str:
    """The poster in words, its form named in the singular as the studio hands it to the model."""
    where = "on the" if poster.calm in ("left", "right") or rng.random() < 0.3 else "at the"
    space = rng.choice((f"space {where} {poster.calm}", f"space {where} {poster.calm}", f"empty {poster.calm}"))
    colours = rng.choice((f"in {poster.palette} colours", f"{poster.palette} palette", f"in {poster.palette} colours"))
    start = f"{rng.choice(('', 'a ', 'a '))}poster {rng.choice(('of', 'of', 'with'))} {poster.form}"
    if rng.random() < 0.3:
        return f"{start}, {space}, {colours}"
    return f"{start} {colours}{rng.choice((', ', ' with '))}{space}"
