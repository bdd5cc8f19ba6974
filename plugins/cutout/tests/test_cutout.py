"""The ground goes, the thing and its soft edges stay."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parent.parent


def ring():
    large = Image.new("RGB", (512, 512), (240, 240, 230))
    ImageDraw.Draw(large).ellipse((100, 100, 410, 410), fill=(200, 30, 40))
    ImageDraw.Draw(large).ellipse((200, 200, 310, 310), fill=(240, 240, 230))
    return large.resize((128, 128), Image.Resampling.LANCZOS)


def test_the_ground_is_gone_and_the_edge_is_soft(load_plugin, finish):
    load_plugin(FOLDER)
    done = finish("cutout", ring())
    alpha = np.asarray(done)[..., 3]
    assert done.mode == "RGBA"
    assert (alpha[2, 2], alpha[64, 36], alpha[64, 64]) == (0, 255, 255)
    assert ((alpha > 0) & (alpha < 255)).sum() > 50
    over = Image.new("RGBA", done.size, (240, 240, 230, 255))
    over.alpha_composite(done)
    off = np.abs(np.asarray(over.convert("RGB")).astype(int) - np.asarray(ring()).astype(int))
    assert off.mean() < 1.5, "laid over its own ground the picture is what it was"


def test_holes_are_cut_when_asked(load_plugin, finish):
    load_plugin(FOLDER)
    assert np.asarray(finish("cutout", ring(), holes=True))[64, 64, 3] == 0
