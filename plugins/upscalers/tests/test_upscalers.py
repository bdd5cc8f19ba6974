"""Tiles leave no seam, and a missing model is a sentence."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from toolkit.errors import RequestError

FOLDER = Path(__file__).resolve().parent.parent


def test_lanczos_and_a_missing_model(load_plugin, finish):
    load_plugin(FOLDER)
    assert finish("lanczos", Image.new("RGB", (30, 20)), scale=1.5).size == (45, 30)
    with pytest.raises(RequestError, match="no upscaler “nope”"):
        finish("upscale", Image.new("RGB", (30, 20)), file="nope")


def test_tiles_leave_no_seam(load_plugin):
    torch = pytest.importorskip("torch")
    load_plugin(FOLDER)
    from types import SimpleNamespace

    load_plugin.plugins.registry.manager.get_plugin("upscalers")
    import importlib

    tiles = importlib.import_module("limner_plugins.upscalers.tiles")

    class Twice:
        scale, device, dtype = 2, "cpu", torch.float32

        def __call__(self, part):
            return torch.nn.functional.interpolate(part, scale_factor=2, mode="bilinear")

    context = SimpleNamespace(checkpoint=lambda: None, progress=lambda done, of: None)
    image = Image.effect_mandelbrot((150, 110), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    tiled = tiles.upscale(Twice(), image, 64, context)
    whole = tiles.upscale(Twice(), image, 1024, context)
    from PIL import ImageChops

    assert tiled.size == (300, 220)
    off = ImageChops.difference(tiled, whole).getextrema()
    assert max(high for _, high in off) <= 8
    assert "limner_plugins.upscalers.tiles" in sys.modules


def test_a_torchscript_program_is_refused_whatever_it_is_called(load_plugin, tmp_path):
    torch = pytest.importorskip("torch")
    load_plugin(FOLDER)
    import importlib

    tiles = importlib.import_module("limner_plugins.upscalers.tiles")
    program, weights = tmp_path / "program.pth", tmp_path / "weights.pth"
    torch.jit.trace(torch.nn.Conv2d(3, 3, 1), torch.zeros(1, 3, 4, 4)).save(str(program))
    torch.save({"weight": torch.zeros(1)}, weights)
    with pytest.raises(RequestError, match="TorchScript program"):
        tiles.load(program, "cpu")
    assert not tiles._is_torchscript(weights)
