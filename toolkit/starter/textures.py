"""Draws natural textures by rule: what photographs are made of, for networks that must not break them.

Dead leaves (Lee, Mumford and Huang 2001) have a photograph's edges at every scale, 1/f noise its spectrum, and grain on
a gradient is a sky taken at dusk.
"""

import math
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

TEXTURE_SEED = 500_000_000
# The evaluation's, far from every training seed.
HELD_SEED = 950_000_000


def _palette(rng: random.Random, count: int) -> list[tuple[int, ...]]:
    """Colours around a common one, as things in one light have them."""
    base, spread = [rng.uniform(60, 190) for _ in range(3)], rng.uniform(20, 60)
    found = []
    for _ in range(count):
        light = rng.gauss(0, spread)
        found.append(tuple(int(min(255, max(0, value + light + rng.gauss(0, spread * 0.4)))) for value in base))
    return found


def _leaves(rng: random.Random, side: int) -> np.ndarray:
    big = side * 2
    colours = _palette(rng, 24)
    image = Image.new("RGB", (big, big), colours[0])
    draw = ImageDraw.Draw(image)
    smallest, largest = rng.uniform(0.012, 0.03), rng.uniform(0.15, 0.3)
    for _ in range(rng.randint(500, 900)):
        # Areas that fall with the cube of the radius look alike at every distance.
        share = rng.random()
        half = big / math.sqrt((1 - share) / (smallest * largest) + share / smallest**2)
        half = min(half, largest * big)
        x, y = rng.uniform(0, big), rng.uniform(0, big)
        fill = rng.choice(colours)
        if rng.random() < 0.5:
            draw.ellipse([x - half, y - half * 0.8, x + half, y + half * 0.8], fill=fill)
        else:
            turn, corners = rng.uniform(0, math.tau), rng.randint(3, 6)
            draw.regular_polygon((x, y, half), corners, rotation=int(math.degrees(turn)), fill=fill)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def _field(rng: random.Random, side: int, slope: float) -> np.ndarray:
    """One channel of 1/f^slope noise with mean 0 and deviation 1."""
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal((side, side))
    down, across = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    shaped = np.fft.irfft2(np.fft.rfft2(noise) / frequency**slope, (side, side))
    shaped -= shaped.mean()
    return (shaped / shaped.std()).astype(np.float32)


def _noise(rng: random.Random, side: int) -> np.ndarray:
    slope = rng.uniform(0.9, 1.3)
    light = _field(rng, side, slope) * rng.uniform(20, 48)
    channels = [rng.uniform(80, 170) + light + _field(rng, side, slope) * rng.uniform(2, 12) for _ in range(3)]
    return np.stack(channels, -1).clip(0, 255).astype(np.uint8)


def _grain(rng: random.Random, side: int) -> np.ndarray:
    first, last = (np.array([rng.uniform(20, 235) for _ in range(3)], np.float32) for _ in range(2))
    turn = rng.uniform(0, math.tau)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side - 0.5
    ramp = (x * math.cos(turn) + y * math.sin(turn)) / 1.4 + 0.5
    grain = np.random.default_rng(rng.getrandbits(32)).standard_normal((side, side, 1)).astype(np.float32)
    picture = first + ramp[..., None] * (last - first) + grain * rng.uniform(1, 7)
    return picture.clip(0, 255).astype(np.uint8)


def _foliage(rng: random.Random, side: int) -> np.ndarray:
    """Dead leaves with 1/f shading and a lens's softness."""
    shade = 1 + _field(rng, side, 1.2)[..., None] * rng.uniform(0.05, 0.2)
    picture = Image.fromarray((_leaves(rng, side) * shade).clip(0, 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2))))


TEXTURES: dict[str, Callable[[random.Random, int], np.ndarray]] = {
    "leaves": _leaves, "noise": _noise, "grain": _grain, "foliage": _foliage,
}  # fmt: skip


def draw_texture(seed: int, side: int = 256) -> np.ndarray:
    """The texture of a seed as uint8 pixels (side, side, 3); kinds take turns."""
    return TEXTURES[list(TEXTURES)[seed % len(TEXTURES)]](random.Random(seed), side)


def draw_textures(first: int, count: int, side: int = 256) -> np.ndarray:
    """The textures of the seeds from `first` on, uint8 (count, side, side, 3)."""
    return np.stack([draw_texture(seed, side) for seed in range(first, first + count)])
