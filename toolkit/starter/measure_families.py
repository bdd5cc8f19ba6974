"""Measures patterns, landscapes and posters by what their drawing code knows: no classifier, only drawings beside them.

A word counts as drawn when, of the drawings that differ from the asked one in that word alone, the asked one is the
nearest to the picture.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from toolkit.starter.landscapes import (
    LAYERS,
    MOON,
    SKIES,
    SUN,
    TIMES,
    Landscape,
    draw_landscape,
    horizons,
    layer_colour,
    sky_rows,
)
from toolkit.starter.palettes import PALETTES
from toolkit.starter.patterns import LINE_MOTIFS, MOTIFS, PERIODS, REPEATS, Pattern, draw_pattern
from toolkit.starter.posters import FORMS, SIDES, Poster, draw_poster
from toolkit.starter.world import COLOURS

# ΔE*ab of 1976 up to which a pixel counts as a palette's colour.
NEAR = 12.0


def lab(pixels: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* (D65) of sRGB pixels (..., 3) in 0..255."""
    values = np.asarray(pixels, np.float32) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32)
    xyz = linear @ matrix.T / np.array([0.9505, 1, 1.089], np.float32)
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def _reduced(picture: np.ndarray, side: int) -> np.ndarray:
    step = picture.shape[0] // side
    return picture.reshape(side, step, side, step, -1).mean((1, 3)).astype(np.float32)


def _edges(picture: np.ndarray) -> np.ndarray:
    """How much each pixel differs from those right and below, wrapped around: (256, 256)."""
    values = picture.astype(np.float32)
    return sum(np.abs(values - np.roll(values, -1, axis)).mean(-1) for axis in (0, 1))


def _nearest(picture: np.ndarray, candidates: Iterable, drawn: Callable, side: int, drawings: int):
    """The candidate whose drawings, averaged, are nearest to the picture at `side` x `side`."""
    shown = _reduced(picture, side)

    def distance(candidate) -> float:
        mean = np.mean([_reduced(drawn(candidate, random.Random(i)), side) for i in range(drawings)], 0)
        return float(np.square(mean - shown).mean())

    return min(candidates, key=distance)


def _words_right(picture, asked, choices: dict[str, tuple[str, ...]], drawn: Callable, side: int, drawings: int):
    return {
        slot: getattr(_nearest(picture, [replace(asked, **{slot: n}) for n in names], drawn, side, drawings), slot)
        == getattr(asked, slot)
        for slot, names in choices.items()
    }


def pattern_words(picture: np.ndarray, asked: Pattern) -> dict[str, bool]:
    """Which of a pattern's words the picture follows."""
    lines = asked.motif in LINE_MOTIFS
    choices: dict[str, tuple[str, ...]] = {"motif": MOTIFS if asked.repeat == "grid" else MOTIFS[: -len(LINE_MOTIFS)]}
    choices |= {"scale": tuple(PERIODS)} | ({} if lines else {"repeat": REPEATS})
    if asked.palette != "none":
        choices["palette"] = tuple(PALETTES)
    else:
        choices["colour"] = tuple(name for name in COLOURS if name != asked.background)
        choices["background"] = tuple(name for name in COLOURS if name != asked.colour)
    return _words_right(picture, asked, choices, draw_pattern, 128, 1)


def period_right(picture: np.ndarray, asked: Pattern) -> bool:
    """Whether the edges repeat at the asked distance and not at half of it, by autocorrelation along the rows."""
    edges = _edges(picture)
    edges = edges - edges.mean()

    def repeats(lag: int) -> float:
        return float((edges * np.roll(edges, lag, 1)).mean() / max(edges.var(), 1e-6))

    return repeats(asked.period) > 0.5 and repeats(asked.period) > repeats(asked.period // 2) + 0.1


def seam(picture: np.ndarray, period: int) -> float:
    """How much more the picture changes across its borders than at the same place of the inner motifs, in 0..255.

    Changes are summed over four pixels: an edge that lies on the border is sharper than one drawn inside.
    """
    values, found = picture.astype(np.float32), 0.0
    for axis in (0, 1):
        steps = np.abs(values - np.roll(values, -1, axis)).mean((1 - axis, 2))
        across = sum(np.roll(steps, shift) for shift in (-1, 0, 1, 2))
        found = max(found, float(across[-1] - across[period - 1 : -1 : period].max()))
    return found


def landscape_words(picture: np.ndarray, asked: Landscape) -> dict[str, bool]:
    """Which of a landscape's words the picture follows; `order` is right when the layers aren't the other way round."""
    dark = replace(asked, light="none", place="none")
    back = tuple(name for name in LAYERS if name != asked.front)
    choices: dict[str, tuple[str, ...]] = {"time": TIMES, "back": back}
    choices["front"] = tuple(name for name in ("none", *LAYERS) if name != asked.back)
    right = _words_right(picture, dark, choices, draw_landscape, 32, 6)
    if asked.front != "none":
        turned = replace(dark, back=asked.front, front=asked.back)
        right["order"] = _nearest(picture, [dark, turned], draw_landscape, 32, 6) == dark
    return right | {"light": light_right(picture, asked)}


def _differs_from_sky(picture: np.ndarray, time: str, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's ΔE to a colour, and whether it is nearer to that than to the sky in its row."""
    shown = lab(picture)
    far = np.linalg.norm(shown - lab(np.array(colour)), axis=-1)
    return far, far < np.linalg.norm(shown - lab(sky_rows(*SKIES[time], 256)), axis=-1)


def light_right(picture: np.ndarray, asked: Landscape) -> bool:
    """Whether sun or moon stand in the sky as asked, on the asked side, or neither does."""
    sizes = {}
    for name, colour in (("sun", SUN), ("moon", MOON)):
        far, nearer = _differs_from_sky(picture, asked.time, colour)
        there = (nearer & (far < 18))[:96]
        sizes[name] = (int(there.sum()), float(np.nonzero(there)[1].mean()) if there.any() else 128.0)
    count, x = sizes.get(asked.light, (0, 128.0))
    if asked.light == "none":
        return all(size < 300 for size, _ in sizes.values())
    side = {"left": x < 108, "right": x > 148, "none": True}[asked.place]
    return count > 350 and side


def horizon_right(picture: np.ndarray, asked: Landscape) -> bool:
    """Whether the sky ends where the layer behind begins, within a tenth of the picture."""
    far, nearer = _differs_from_sky(picture, asked.time, layer_colour(asked.back, asked.time, False))
    layer = nearer & (far < 20)
    # A layer goes on downwards; a single row of its colour is no horizon.
    layer[:-6] &= layer[3:-3] & layer[6:]
    tops = layer.argmax(0)[layer.any(0)]
    if len(tops) < 128:
        return False
    return bool(abs(np.median(tops) / 256 - drawn_horizon(asked)) < 0.1)


def drawn_horizon(asked: Landscape) -> float:
    """Where the layer behind begins in its drawings' mean, as a part of the height; peaks and roofs rise above."""
    rise = {"mountain": 0.05, "skyline": 0.06, "forest": 0.02}.get(asked.back, 0.0)
    return horizons(asked)[0] - rise


def poster_words(picture: np.ndarray, asked: Poster) -> dict[str, bool]:
    """Which of a poster's words the picture follows: its form by its edges, its palette and its calm side."""
    shown = _reduced(_edges(picture)[..., None], 64)[..., 0]

    def likeness(form: str) -> float:
        drawn = [_edges(draw_poster(replace(asked, form=form), random.Random(i))) for i in range(6)]
        mean = _reduced(np.mean(drawn, 0)[..., None], 64)[..., 0]
        return float(np.corrcoef(mean.ravel(), shown.ravel())[0, 1])

    found = {"form": max(FORMS, key=likeness) == asked.form, "calm": calm_side(picture) == asked.calm}
    return found | {"palette": max(PALETTES, key=lambda name: in_palette(picture, name)) == asked.palette}


def edge_density(picture: np.ndarray, side: str) -> float:
    """Mean difference of neighbours in the named half without its rim, in 0..255."""
    halves = {
        "left": np.s_[4:-4, 4:120], "right": np.s_[4:-4, 136:-4],
        "top": np.s_[4:120, 4:-4], "bottom": np.s_[136:-4, 4:-4],
    }  # fmt: skip
    return float(_edges(picture)[halves[side]].mean())


def calm_side(picture: np.ndarray) -> str:
    """The half with the fewest edges; "none" when it isn't calm enough for text."""
    quietest = min(SIDES, key=lambda side: edge_density(picture, side))
    return quietest if edge_density(picture, quietest) < 2.5 else "none"


def in_palette(picture: np.ndarray, palette: str) -> float:
    """The share of pixels away from edges that are within ΔE 12 of one of the palette's colours."""
    _, far, _ = _off_palette(picture, palette)
    return float((far < NEAR).mean())


def palette_right(picture: np.ndarray, palette: str) -> bool:
    """Whether every area's colour, its pixels' median, is within ΔE 12 of a palette's colour, and few are far off."""
    flat, far, nearest = _off_palette(picture, palette)
    colours = lab(np.array(PALETTES[palette]))
    areas = [np.median(flat[nearest == i], 0) for i in range(len(colours)) if (nearest == i).mean() > 0.04]
    medians = [np.linalg.norm(area[None] - colours, axis=-1).min() for area in areas]
    return max(medians) <= NEAR and float((far > 2 * NEAR).mean()) < 0.1


def _off_palette(picture: np.ndarray, palette: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The L*a*b* of each pixel away from edges, its ΔE to the nearest of the palette's colours, and which that is."""
    flat = lab(picture)[_edges(picture) < 12]
    distances = np.linalg.norm(flat[:, None] - lab(np.array(PALETTES[palette]))[None], axis=-1)
    return flat, distances.min(1), distances.argmin(1)
