"""Flat areas get the brand's colours exactly, edges stay soft."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from toolkit.finishing import FinishStep
from toolkit.plugins import calls
from toolkit.request import GenerationRequest

FOLDER = Path(__file__).resolve().parent.parent
BRAND = "#0a5f8a, #f2e8d5, #d94f30"


def icon():
    large = Image.new("RGB", (512, 512), (250, 246, 240))
    pen = ImageDraw.Draw(large)
    pen.ellipse((80, 80, 430, 430), fill=(60, 110, 190))
    pen.rectangle((200, 200, 320, 320), fill=(220, 60, 50))
    noise = np.random.default_rng(1).normal(0, 3, (128, 128, 3))
    small = np.asarray(large.resize((128, 128), Image.Resampling.LANCZOS)) + noise
    return Image.fromarray(np.clip(small, 0, 255).astype(np.uint8))


def test_areas_are_exact_and_described(load_plugin, finish):
    plugins = load_plugin(FOLDER)
    done = finish("palette", icon(), colors=BRAND)
    at = {name: done.getpixel(place) for name, place in (("ground", (5, 5)), ("disc", (35, 64)), ("square", (64, 64)))}
    assert at == {"ground": (0xF2, 0xE8, 0xD5), "disc": (0x0A, 0x5F, 0x8A), "square": (0xD9, 0x4F, 0x30)}
    exact = sum(number for number, colour in done.getcolors(1 << 20) if colour in at.values())
    assert exact > 0.9 * 128 * 128
    request = GenerationRequest("x", seed=1, finish=(FinishStep("palette", {"colors": BRAND}),))
    facts = calls.describe(plugins, request, done)
    assert all(facts[f"palette.{colour}"].endswith("ΔE 0.00") for colour in ("#0a5f8a", "#f2e8d5", "#d94f30"))


def test_by_area_gives_the_first_colour_to_the_ground(load_plugin, finish):
    load_plugin(FOLDER)
    assert finish("palette", icon(), colors=BRAND, match="area").getpixel((5, 5)) == (0x0A, 0x5F, 0x8A)
