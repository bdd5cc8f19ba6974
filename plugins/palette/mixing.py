"""Which two areas each pixel is mixed of: those that lie next to it, so that no third colour lines an edge."""

from itertools import combinations

import numpy as np

# How far (in RGB) a pixel may be from every mixture of its neighbours before it is an area of its own: a thin line.
OWN = 48.0
# How much of the square around a pixel has to be like that: a line crosses it, a speck doesn't.
LINE = 0.28
# Areas narrower than this share of the picture's shorter side are specks or lines.
NARROW = 1 / 80


def mixtures(pixels, centres):
    """(first, second, share): areas by number, and how much of the second is in each pixel, all (h, w)."""
    radius = max(1, min(8, round(min(pixels.shape[:2]) * NARROW)))
    nearest = ((pixels[:, :, None] - centres) ** 2).sum(axis=3).argmin(axis=2)
    numbers = np.arange(len(centres))[:, None, None]
    calm = np.stack([_around(nearest == number, radius) for number in range(len(centres))]).argmax(axis=0)
    # Deep inside of an area a pixel is nothing but it; near to one it may be mixed with it.
    core = np.stack([_around(calm == number, radius) > 0.999 for number in range(len(centres))])
    near = np.stack([_around(one, 2 * radius + 1) > 0 for one in core])
    far = _best(pixels, centres, near)[3] > OWN
    lost = (far & (_around(far, radius) > LINE)) | ~near.any(axis=0)
    first, second, share, _ = _best(pixels, centres, near | (lost & (numbers == nearest)))
    inside = core.any(axis=0)
    first = np.where(inside, core.argmax(axis=0), first)
    return first, second, np.clip((np.where(inside, 0, share) - 0.2) / 0.6, 0, 1)


def _best(pixels, centres, allowed):
    """(first, second, share, how far off) of the allowed mixture that is nearest to each pixel."""
    height, width = pixels.shape[:2]
    first = allowed.argmax(axis=0)
    second, share = first.copy(), np.zeros((height, width), dtype=np.float32)
    off = np.where(allowed.any(axis=0), np.linalg.norm(pixels - centres[first], axis=2), np.inf)
    for one, other in combinations(range(len(centres)), 2):
        way = centres[other] - centres[one]
        part = np.clip(((pixels - centres[one]) @ way) / max(float(way @ way), 1e-6), 0, 1)
        away = np.linalg.norm(pixels - centres[one] - part[..., None] * way, axis=2)
        better = allowed[one] & allowed[other] & (away < off)
        for values, value in ((first, one), (second, other), (share, part), (off, away)):
            values[better] = value[better] if isinstance(value, np.ndarray) else value
    return first, second, share, off


def _around(mask, radius):
    """The share of a mask in the square around each pixel, 0 to 1."""
    side = 2 * radius + 1
    sums = np.pad(np.pad(mask.astype(np.float64), radius, "edge").cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return inside / side**2
