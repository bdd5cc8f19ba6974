"""The matte of a plain ground: what has the border's colour and is joined to the border."""

import numpy as np
from PIL import Image, ImageFilter


def by_colour(image, tolerance, holes):
    """Edges get the share of the thing in their mixture as alpha, and the ground's colour is taken out of them."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    ground = np.median(border(pixels), axis=0)
    away = np.abs(pixels - ground).max(axis=2)
    near = away <= tolerance * 255
    outside = near if holes else _joined_to_border(near)
    ring = np.asarray(Image.fromarray(outside).convert("L").filter(ImageFilter.MaxFilter(5))) > 0
    full = np.asarray(Image.fromarray(np.clip(away, 0, 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(5)))
    alpha = np.ones_like(away)
    alpha[ring] = np.clip(away[ring] / np.maximum(full[ring], 1), 0, 1)
    alpha[outside] = 0
    clear = np.clip((pixels - (1 - alpha[..., None]) * ground) / np.maximum(alpha[..., None], 0.05), 0, 255)
    done = np.dstack([np.where(alpha[..., None] > 0, clear, 0), alpha * 255])
    return Image.fromarray((done + 0.5).astype(np.uint8), "RGBA")


def border(pixels):
    """The outermost pixels, (n, 3)."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _joined_to_border(mask):
    """The part of a mask that is joined to the border, by sweeps in four directions until nothing is added."""
    reached = np.zeros_like(mask)
    for side in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        reached[side] = mask[side]
    before = -1
    while before != (before := int(reached.sum())):
        for lines, allowed in ((reached, mask), (reached.T, mask.T)):
            for step in (1, -1):
                order = range(1, len(lines)) if step == 1 else range(len(lines) - 2, -1, -1)
                for at in order:
                    lines[at] |= lines[at - step] & allowed[at]
    return reached
