"""Where pictures start: values survive JSON, and wrong ones are refused in a sentence."""

from __future__ import annotations

import json

import pytest

from toolkit.errors import RequestError
from toolkit.starts import (
    AsIs,
    FromImage,
    FromText,
    Inpaint,
    Outpaint,
    Refine,
    Variation,
    check_refine,
    check_start,
    check_tile,
    check_variation,
    option_from_dict,
    option_to_dict,
    pictures_of,
    start_from_dict,
    start_to_dict,
)

A, B = "a" * 64, "b" * 64
STARTS = [
    FromText(),
    FromImage(A),
    FromImage(A, strength=0.25, resize="fill"),
    Inpaint(A, B),
    Inpaint(A, B, 0.5, 0, "masked", 64, "noise"),
    Outpaint(A, right=64),
    Outpaint(A, 8, 16, 24, 32, 0.9, 3, "original"),
    AsIs(A),
]


@pytest.mark.parametrize("start", STARTS, ids=repr)
def test_a_start_survives_json_and_passes_the_check(start) -> None:
    assert start_from_dict(json.loads(json.dumps(start_to_dict(start)))) == start
    check_start(start, 20)


def test_defaults_are_left_out() -> None:
    assert start_to_dict(Inpaint(A, B)) == {"kind": "inpaint", "image": A, "mask": B}
    assert start_to_dict(FromText()) == {"kind": "text"}
    assert option_to_dict(Refine(scale=1.5)) == {"scale": 1.5}
    assert option_from_dict("variation", {"seed": 3, "strength": 0.5}) == Variation(3, 0.5)
    assert option_from_dict("refine", {}) == Refine()


def test_pictures_are_named_in_order() -> None:
    assert [pictures_of(start) for start in STARTS] == [(), (A,), (A,), (A, B), (A, B), (A,), (A,), (A,)]


@pytest.mark.parametrize(
    ("plain", "field"),
    [
        ("image", "start"),
        ({}, "start"),
        ({"kind": ["text"]}, "start"),
        ({"kind": "video"}, "start"),
        ({"kind": "image"}, "start.image"),
        ({"kind": "image", "image": 3}, "start.image"),
        ({"kind": "image", "image": A, "strength": "half"}, "start.strength"),
        ({"kind": "image", "image": A, "strength": True}, "start.strength"),
        ({"kind": "image", "image": A, "mask": B}, "start.mask"),
        ({"kind": "inpaint", "image": A, "mask": B, "feather": 1.5}, "start.feather"),
    ],
)
def test_json_of_the_wrong_shape_names_the_field(plain, field: str) -> None:
    with pytest.raises(RequestError) as error:
        start_from_dict(plain)
    assert error.value.field == field and str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("start", "field", "says"),
    [
        (FromImage(A, strength=0), "start.strength", "leaves the picture as it is"),
        (FromImage(A, strength=0.02), "start.strength", "at least 0.05"),
        (FromImage(A, strength=float("nan")), "start.strength", "nan"),
        (FromImage(A, strength=1.01), "start.strength", "1.01"),
        (FromImage(A, resize="squash"), "start.resize", "crop, fill or stretch"),
        (FromImage("../../etc/passwd"), "start.image", "SHA-256"),
        (Inpaint(A, B[:-1]), "start.mask", "SHA-256"),
        (Inpaint(A, B, feather=65), "start.feather", "0 to 64"),
        (Inpaint(A, B, area="half"), "start.area", "whole or masked"),
        (Inpaint(A, B, padding=-1), "start.padding", "0 to 256"),
        (Inpaint(A, B, fill="red"), "start.fill", "nothing"),
        (Outpaint(A), "start", "at least one side"),
        (Outpaint(A, left=-8), "start.left", "-8"),
        (Outpaint(A, top=3000), "start.top", "2048"),
    ],
)
def test_what_cant_be_drawn_is_refused(start, field: str, says: str) -> None:
    with pytest.raises(RequestError, match=says) as error:
        check_start(start, 20)
    assert error.value.field == field


def test_the_least_strength_that_is_named_can_be_drawn() -> None:
    for steps in range(1, 151):
        with pytest.raises(RequestError) as error:
            check_start(FromImage(A, strength=0.9 / steps), steps)
        least = float(str(error.value).rsplit(" ", 1)[1].removesuffix("."))
        check_start(FromImage(A, strength=least), steps)


def test_variation_refine_and_tile_are_checked() -> None:
    check_variation(Variation(2**32 - 2, 1), count=2)
    check_refine(Refine(steps=1, strength=1), 20)
    for tile in ("", "x", "y", "xy"):
        check_tile(tile)
    for wrong in (
        lambda: check_variation(Variation(2**32 - 1), 2),
        lambda: check_variation(Variation(1, -0.1), 1),
        lambda: check_refine(Refine(scale=float("inf")), 20),
        lambda: check_refine(Refine(scale=0.5), 20),
        lambda: check_refine(Refine(upscaler="magic"), 20),
        lambda: check_refine(Refine(strength=0.05), 10),
        lambda: check_refine(Refine(steps=0), 10),
        lambda: check_tile("yx"),
    ):
        with pytest.raises(RequestError):
            wrong()
