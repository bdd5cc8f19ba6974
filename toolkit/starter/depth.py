"""Exact depth maps of landscapes, what estimators make of them, and how well a picture keeps to one."""

import random

import cv2
import numpy as np

from toolkit.starter.landscapes import (
    LAYERS,
    MOON,
    SKIES,
    SUN,
    TIMES,
    Landscape,
    accent,
    draw_with_depth,
    horizons,
    layer_colour,
    sample_landscape,
    sky_rows,
)
from toolkit.starter.measure_families import lab

# Light is near, as MiDaS and Depth Anything have it; the sky is 0. A layer alone, behind and in front stands upright;
# the sea is a plane, whose inverse depth grows evenly from the horizon to the picture's lower edge.
ALONE, BEHIND, FRONT, HORIZON, NEAREST = 136, 96, 176, 56, 255
DEPTH_SEED = 550_000_000
# The part of the training pictures that are skylines at night for sure: dark roofs before a dark sky take longest.
NIGHT_SKYLINES = 0.3


def anywhere(landscape: Landscape, rng: random.Random) -> tuple[float, float]:
    """Horizons where the base alone wouldn't put them, the one in front below the other."""
    if landscape.front == "none":
        return rng.uniform(0.42, 0.85), horizons(landscape)[1]
    back = rng.uniform(0.42, 0.64)
    return back, rng.uniform(back + 0.16, 0.88)


def depth_map(landscape: Landscape, layers: np.ndarray) -> np.ndarray:
    """The depth, uint8 (side, side), of what stands where as `draw_with_depth` gives it."""
    values = {1: ALONE if landscape.front == "none" else BEHIND, 2: FRONT}
    found = np.zeros(layers.shape, np.float32)
    for number, layer in ((1, landscape.back), (2, landscape.front)):
        there = layers == number
        if layer == "sea" and there.any():
            rows = np.arange(len(layers), dtype=np.float32)[:, None]
            top = float(np.nonzero(there.any(1))[0][0])
            plane = HORIZON + (NEAREST - HORIZON) * (rows - top) / max(1.0, len(layers) - top)
            found[there] = np.broadcast_to(plane, found.shape)[there]
        else:
            found[there] = values[number]
    return found.astype(np.uint8)


def draw_pair(seed: int) -> tuple[Landscape, np.ndarray, np.ndarray]:
    """A landscape of no held-out combination, its pixels and depth, mostly with its horizons anywhere."""
    rng = random.Random(seed)
    landscape = sample_landscape(rng)
    if rng.random() < NIGHT_SKYLINES:
        while not (landscape.time == "night" and "skyline" in (landscape.back, landscape.front)):
            landscape = sample_landscape(rng)
    picture, layers = draw_with_depth(landscape, rng, anywhere(landscape, rng) if rng.random() < 0.6 else None)
    return landscape, picture, depth_map(landscape, layers)


def estimated(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The depth as an estimator gives it: of another scale and curve, sometimes soft, layers rising to the front."""
    if rng.random() < 0.25:
        return depth
    values = depth.astype(np.float32) / 255
    if rng.random() < 0.4:
        ramp = np.linspace(0, rng.uniform(0, 0.3), len(depth), dtype=np.float32)[:, None]
        values = np.where(values > 0, np.minimum(values + ramp, 1), values)
    values = (values / max(values.max(), 0.1)) ** rng.uniform(0.6, 1.6) * rng.uniform(0.7, 1)
    if rng.random() < 0.4:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.5, 2.5))
    return (values * 255).astype(np.uint8)


def layers_seen(picture: np.ndarray, asked: Landscape) -> np.ndarray:
    """What stands where in a picture, uint8 (side, side) as in `draw_with_depth`.

    Each column is cut into sky, layer behind and layer in front where that fits the asked colours best, by the sum of
    ΔE. Sun and moon count as sky, windows as their skyline and waves as the sea.
    """
    found = _unlike(picture, asked)
    sums = np.concatenate([np.zeros((len(found), 1, picture.shape[1])), np.cumsum(found, 1)], 1)
    rows = np.arange(len(picture))[:, None]
    above = sums[0] - sums[1]
    if len(found) == 2:
        return (rows >= above.argmin(0)).astype(np.uint8)
    # For every row that the front could begin at, the best one above it for the layer behind.
    best = np.minimum.accumulate(above, 0)
    front = (best + sums[1] - sums[2]).argmin(0)
    back = (above == np.take_along_axis(best, front[None], 0)).argmax(0)
    return ((rows >= back).astype(np.uint8) + (rows >= front)).astype(np.uint8)


def _unlike(picture: np.ndarray, asked: Landscape) -> np.ndarray:
    """Each pixel's ΔE to the sky and to each layer as asked, (1 + layers, side, side)."""
    shown = lab(picture)

    def far(colour: np.ndarray) -> np.ndarray:
        return np.linalg.norm(shown - lab(colour), axis=-1)

    sky = far(sky_rows(*SKIES[asked.time], len(picture)))
    for name, colour in (("sun", SUN), ("moon", MOON)):
        if asked.light == name:
            sky = np.minimum(sky, far(np.array(colour)))
    found = [sky]
    for layer, front in ((asked.back, False), (asked.front, True)):
        if layer != "none":
            own = layer_colour(layer, asked.time, front)
            found.append(np.minimum(far(np.array(own)), far(np.array(accent(layer, own, asked.time)))))
    return np.stack(found)


def borders(layers: np.ndarray) -> np.ndarray:
    """The lines between layers, 0 or 255."""
    values = layers.astype(np.int16)
    there = np.zeros(layers.shape, bool)
    there[:, 1:] |= values[:, 1:] != values[:, :-1]
    there[1:] |= values[1:] != values[:-1]
    return there.astype(np.uint8) * 255


def colours_right(picture: np.ndarray, asked: Landscape, layers: np.ndarray) -> bool:
    """Whether the sky is that of the asked time, and each layer's area has the asked layer's colour at that time."""
    shown = lab(picture)
    sky = layers == 0
    skies = {time: lab(sky_rows(*SKIES[time], len(picture))) for time in TIMES}
    time = min(skies, key=lambda name: np.median(np.linalg.norm(shown - skies[name], axis=-1)[sky]))
    right = time == asked.time
    for number, layer in ((1, asked.back), (2, asked.front)):
        if layer == "none" or (layers == number).mean() < 0.02:
            continue
        middle = np.median(shown[layers == number], 0)
        tones = {name: lab(np.array(layer_colour(name, asked.time, number == 2))) for name in LAYERS}
        right &= min(tones, key=lambda name: float(np.linalg.norm(tones[name] - middle))) == layer
    return bool(right)
