"""Measures a picture's colours against the table: which colour a thing has, and whether the background is as asked."""

import numpy as np

from toolkit.starter.drawing import INK, stripe
from toolkit.starter.world import Scene, table

EDGE = 10
DIFFERENT = 25.0
WHOLE = (slice(0, 256), slice(0, 256))
HALVES = ((slice(56, 200), slice(0, 144)), (slice(56, 200), slice(112, 256)))


def nearest(pixels: np.ndarray, colours: list[tuple[str, tuple[int, int, int]]]) -> np.ndarray:
    """The name of the nearest colour for each pixel of (..., 3) in 0..255."""
    values = np.array([rgb for _, rgb in colours], dtype=np.float32)
    distance = np.square(pixels[..., None, :].astype(np.float32) - values).sum(-1)
    return np.array([name for name, _ in colours])[distance.argmin(-1)]


def _edges(picture: np.ndarray, upright: bool) -> np.ndarray:
    """The background behind everything, from the picture's edges: by columns when `upright`, else by rows."""
    if upright:
        rim = np.concatenate([picture[:EDGE], picture[-EDGE:]], 0)
        return np.broadcast_to(np.median(rim, 0)[None], picture.shape)
    rim = np.concatenate([picture[:, :EDGE], picture[:, -EDGE:]], 1)
    return np.broadcast_to(np.median(rim, 1)[:, None], picture.shape)


def _away(picture: np.ndarray, scene: Scene) -> np.ndarray:
    """Which pixels differ from the background clearly, beside how much the rest of the thing does.

    A fifth of the thing's own distance keeps a mottled background apart from the thing; ink, which is far from every
    colour, doesn't set that distance.
    """
    distance = np.linalg.norm(picture - _edges(picture, scene.kind == "striped"), axis=-1)
    away = distance > DIFFERENT
    coloured = away & (np.linalg.norm(picture - np.array(INK, np.float32), axis=-1) >= 45)
    if coloured.sum() < 300:
        return away
    return distance > max(DIFFERENT, 0.2 * np.percentile(distance[coloured], 75))


def placed_right(picture: np.ndarray, scene: Scene) -> bool:
    """Whether a single thing lies where, or is as big as, the scene says."""
    y, x = np.nonzero(_away(picture.astype(np.float32), scene))
    if len(x) < 300:
        return False
    word = scene.things[0].place or scene.things[0].size
    extent = max(np.ptp(np.percentile(axis, (3, 97))) for axis in (x, y)) / 256
    right = {
        "left": x.mean() < 108, "right": x.mean() > 148, "top": y.mean() < 108, "bottom": y.mean() > 148,
        "big": extent > 0.52, "small": extent < 0.42, None: 0.3 < extent < 0.64,
    }  # fmt: skip
    return bool(right[word])


def thing_colour(picture: np.ndarray, scene: Scene, window: tuple[slice, slice]) -> str:
    """The colour of most pixels in the window that differ from the background; "none" when nothing is there."""
    picture = picture.astype(np.float32)
    away = _away(picture, scene)
    inside = picture[window][away[window]]
    if len(inside) < 300:
        return "none"
    # Outlines, wheels and eyes are ink, not the thing's colour, unless nearly all of it is that dark.
    ink = np.linalg.norm(inside - np.array(INK, np.float32), axis=-1) < 45
    inside = inside[~ink] if ink.mean() < 0.6 else inside
    names, counts = np.unique(nearest(inside, list(table(scene.style).items())), return_counts=True)
    return str(names[counts.argmax()])


def background_right(picture: np.ndarray, scene: Scene) -> bool:
    """Whether the background has the colour asked for, its kind, and for "ground" the ground's colour too."""
    picture = picture.astype(np.float32)
    colours = list(table(scene.style, ground=True).items())
    rows = _edges(picture, upright=False)[:, 0]
    top, bottom = np.median(rows[:EDGE], 0), np.median(rows[-EDGE:], 0)
    if scene.kind == "striped":
        columns = _edges(picture, upright=True)[0]
        names = nearest(columns, colours + [(name, stripe(rgb)) for name, rgb in colours])
        return bool((names == scene.background).mean() > 0.7 and columns.mean(-1).std() > 3)
    right = nearest(top, colours) == scene.background
    if scene.kind == "ground":
        return bool(right and nearest(bottom, colours) == scene.ground)
    changed = np.linalg.norm(top - bottom)
    return bool(right and (changed > 45 if scene.kind == "gradient" else changed < 30))
