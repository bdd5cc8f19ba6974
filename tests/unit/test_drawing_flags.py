"""The command line's flags for controls become the units that a request holds, each with its preprocessor."""

from __future__ import annotations

import argparse

import pytest
from PIL import Image

from toolkit.commands import drawing_flags
from toolkit.errors import RequestError
from toolkit.models import ModelIndex
from toolkit.pictures import InputPictures
from toolkit.request import GenerationRequest


@pytest.fixture
def units(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "fish.png")
    parser = argparse.ArgumentParser()
    drawing_flags.add_arguments(parser)
    inputs = InputPictures(tmp_path / "inputs")

    def read(*words):
        given = [word.replace("FISH", str(tmp_path / "fish.png")) for word in words]
        args = parser.parse_args(given)
        return drawing_flags.changed(GenerationRequest("a fish"), args, inputs, ModelIndex([])).controls

    return read


def test_each_preprocessor_goes_with_the_control_in_its_place(units):
    first, second, third = units(
        "--control", "lines:FISH:0.7", "--control", "depth:FISH", "--control", "canny:FISH",
        "--preprocess", "canny:low=50,pixel_perfect=no", "--preprocess", "none",
    )  # fmt: skip
    assert (first.kind, first.weight, first.preprocessor) == ("lines", 0.7, "canny")
    assert first.options == {"low": 50, "pixel_perfect": False}
    assert (second.preprocessor, third.preprocessor) == ("none", "auto")
    assert second.options == third.options == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--preprocess", "canny"), "has no --control to go with"),
        (("--control", "lines:FISH", "--preprocess", "canny:low"), "write NAME:OPTION=VALUE"),
        (("--control", "lines"), "write KIND:FILE"),
    ],
)
def test_what_cannot_be_read_is_named(units, words, sentence):
    with pytest.raises(RequestError, match=sentence) as refused:
        units(*words)
    assert refused.value.field == "controls"
