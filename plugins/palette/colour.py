"""Colours as the eye sees them (CIE L*a*b*, D65), and the flat areas of a picture."""

from itertools import permutations

import numpy as np


def lab(rgb):
    """sRGB in 0…255, any shape ending in 3, as L*a*b*."""
    c = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175],
                       [0.0193339, 0.119192, 0.9503041]])  # fmt: skip
    xyz = linear @ matrix.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


# Areas nearer than this to each other (ΔE*ab) are one area with noise in it, and smaller ones are no area at all.
APART, LEAST = 16.0, 0.01


def areas(pixels, count):
    """The colours of at most `count` flat areas (n, 3) and their shares: k-means over pixels away from edges."""
    steps = np.abs(np.diff(pixels, axis=0, prepend=pixels[:1])).max(axis=2)
    steps = np.maximum(steps, np.abs(np.diff(pixels, axis=1, prepend=pixels[:, :1])).max(axis=2))
    calm = pixels[steps <= max(12.0, float(np.quantile(steps, 0.5)))]
    sample = calm[:: max(1, len(calm) // 20_000)]
    centres = _seeds(sample, count)
    while True:
        centres, shares = _means(sample, centres)
        far = np.linalg.norm(lab(centres)[:, None] - lab(centres)[None], axis=2) + np.diag([1e9] * len(centres))
        doubtful = np.where((far.min(axis=1) < APART) | (shares < LEAST))[0]
        if len(centres) == 1 or not len(doubtful):
            return centres, shares
        centres = np.delete(centres, doubtful[shares[doubtful].argmin()], axis=0)


def _means(sample, centres):
    """The centres after twelve rounds, each the median of what is nearest to it, and their shares of the sample."""
    for _ in range(12):
        nearest = ((sample[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        for number in range(len(centres)):
            if (nearest == number).any():
                centres[number] = np.median(sample[nearest == number], axis=0)
    return centres, np.bincount(nearest, minlength=len(centres)) / len(sample)


def _seeds(sample, count):
    """Well spread, common colours: each next one is far from the others and not rare."""
    coarse, number = np.unique((sample // 24).astype(int), axis=0, return_counts=True)
    colours = coarse * 24.0 + 12
    seeds = [colours[number.argmax()]]
    while len(seeds) < min(count, len(colours)):
        away = np.min([((colours - seed) ** 2).sum(axis=1) for seed in seeds], axis=0)
        seeds.append(colours[(away * np.sqrt(number)).argmax()])
    return np.array(seeds, dtype=np.float32)


def assign(centres, shares, brand, match):
    """Which brand colour each area gets: the nearest to the eye over all areas, or by the areas' sizes."""
    if match == "area":
        order = np.argsort(-shares)
        found = np.empty(len(centres), dtype=int)
        found[order] = np.arange(len(centres))
        return found
    far = np.linalg.norm(lab(centres)[:, None] - lab(np.array(brand))[None], axis=2) * np.sqrt(shares)[:, None]
    ways = permutations(range(len(brand)), len(centres))
    return np.array(min(ways, key=lambda way: sum(far[area, colour] for area, colour in enumerate(way))))


def distances(image, brand):
    """(colour, share, ΔE*ab of 1976) for each brand colour, over the pixels nearest to it whose neighbours are too."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    nearest = ((pixels[:, :, None] - np.array(brand, dtype=np.float32)) ** 2).sum(axis=3).argmin(axis=2)
    inner = np.ones(nearest.shape, dtype=bool)
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            inner &= np.roll(nearest, step, axis) == nearest
    for number, colour in enumerate(brand):
        mine = inner & (nearest == number)
        off = np.linalg.norm(lab(pixels[mine]) - lab(np.array(colour)), axis=1) if mine.any() else np.zeros(1)
        yield colour, float((nearest == number).mean()), float(np.median(off))
