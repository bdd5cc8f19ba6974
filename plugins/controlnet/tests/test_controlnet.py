"""Edges are where colours meet, a pen makes them broad, and a detector without its weights asks for them."""

import logging
from pathlib import Path

import pytest
from PIL import Image

from toolkit.errors import RequestError
from toolkit.plugins.context import Context
from toolkit.request import GenerationRequest


@pytest.fixture
def context(tmp_path):
    return Context(GenerationRequest(), {}, Path(), tmp_path, tmp_path, logging.getLogger("test"))


@pytest.fixture
def nouns():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(
        "controlnet_under_test",
        Path(__file__).parents[1] / "__init__.py",
        submodule_search_locations=[str(Path(__file__).parents[1])],
    )
    module = module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return {one.name: one for one in module.register_preprocessors()}


def half_and_half():
    image = Image.new("RGB", (64, 64), "black")
    image.paste("white", (32, 0, 64, 64))
    return image


def test_edges_are_where_colours_meet(nouns, context):
    edges = nouns["canny"].run(half_and_half(), {"low": 100, "high": 200}, context)
    assert edges.size == (64, 64) and edges.mode == "RGB"
    white = [x for x in range(64) if edges.getpixel((x, 30)) == (255, 255, 255)]
    assert white and all(30 <= x <= 33 for x in white)
    broad = nouns["scribble"].run(half_and_half(), {"width": 6}, context)
    assert sum(broad.getpixel((x, 30))[0] > 0 for x in range(64)) > len(white)


def test_missing_weights_are_asked_for(nouns, context):
    with pytest.raises(RequestError, match=r"ControlNetHED\.pth"):
        nouns["hed"].run(half_and_half(), {}, context)
