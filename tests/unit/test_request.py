"""Requests are plain values: they travel as JSON and come back equal, and a wrong value is named."""

from __future__ import annotations

import json

import pytest

from toolkit import GenerationRequest, RequestError, Sampling, Size, Written

FULL = GenerationRequest(
    prompt="a “red” fish,\nNegative prompt: not this",
    negative="blue",
    model="other",
    size=Size(512, 256),
    sampling=Sampling("euler_a", "karras", 12, 3.5),
    count=4,
    seed=2**32 - 5,
    written=Written("a fish", "blue", ("neon",)),
)


@pytest.mark.parametrize("request_", [GenerationRequest(), FULL, GenerationRequest(styles=("a", "b"), seed=0)])
def test_json_round_trip(request_: GenerationRequest) -> None:
    assert GenerationRequest.from_dict(json.loads(json.dumps(request_.to_dict()))) == request_


def test_defaults_are_left_out() -> None:
    assert GenerationRequest().to_dict() == {}
    assert GenerationRequest(sampling=Sampling(steps=4)).to_dict() == {"sampling": {"steps": 4}}


@pytest.mark.parametrize(
    ("plain", "field"),
    [
        ({"colour": 1}, "colour"),
        ({"size": [1, "2"]}, "size"),
        ({"size": "512x512"}, "size"),
        ({"size": [512.0, 512]}, "size"),
        ({"seed": "7"}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"count": None}, "count"),
        ({"count": True}, "count"),
        ({"prompt": 5}, "prompt"),
        ({"sampling": 3}, "sampling"),
        ({"sampling": {"steps": "20"}}, "sampling.steps"),
        ({"sampling": {"speed": 1}}, "sampling.speed"),
        ({"styles": "neon"}, "styles"),
        ({"styles": [1]}, "styles"),
        ({"written": {"styles": [2]}}, "written.styles"),
    ],
)
def test_wrong_values_are_named(plain: dict, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        GenerationRequest.from_dict(plain)
    assert caught.value.field == field
    assert str(caught.value).endswith(".")


def test_with_reaches_into_sampling() -> None:
    changed = FULL.with_(seed=3, steps=7)
    assert (changed.seed, changed.sampling.steps, changed.sampling.sampler) == (3, 7, "euler_a")
    assert FULL.sampling.steps == 12


@pytest.mark.parametrize(("text", "size"), [("512x768", (512, 768)), (" 64 X 32 ", (64, 32)), ("8×8", (8, 8))])
def test_sizes_are_read(text: str, size: tuple[int, int]) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize("text", ["", "512", "512x", "-1x5", "axb", "1e3x4", "99999999x1"])
def test_wrong_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        Size.parse(text)


def test_size_arithmetic() -> None:
    assert Size(1000, 667).snap(8) == (1000, 664)
    assert Size(3, 3).snap(8) == (8, 8)
    assert Size(1000, 500).fit(256) == (256, 128)
    assert Size(100, 50).fit(256) == (100, 50)
    assert Size(10, 20).pixels == 200 and str(Size(10, 20)) == "10 × 20"
