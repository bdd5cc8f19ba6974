"""Bringing pictures to the size that is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from toolkit.errors import RequestError
from toolkit.geometry import Size
from toolkit.resizing import drawing_size, extended, resized

WIDE = Size(96, 32)


def thirds() -> Image.Image:
    """Red, green and blue, each a third of the width."""
    picture = np.zeros((32, 96, 3), np.uint8)
    for index in range(3):
        picture[:, index * 32 : (index + 1) * 32, index] = 255
    return Image.fromarray(picture)


def test_crop_keeps_the_middle_and_its_proportions() -> None:
    square = resized(thirds(), Size(64, 64), "crop")
    assert square.size == (64, 64)
    assert square.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))[1] > 240


def test_stretch_keeps_everything_and_deforms() -> None:
    square = resized(thirds(), Size(66, 64), "stretch")
    assert [square.getpixel((x, 32)).index(255) for x in (10, 33, 56)] == [0, 1, 2]


def test_fill_shows_all_and_adds_soft_edges_of_the_same_colours() -> None:
    square = resized(thirds(), Size(96, 96), "fill")
    assert square.crop((0, 32, 96, 64)).tobytes() == thirds().tobytes()
    assert square.getpixel((8, 4))[0] > 200 and square.getpixel((88, 92))[2] > 200
    sharpest = np.abs(np.diff(np.asarray(square)[2].astype(int), axis=0)).max()
    assert sharpest < 40 < np.abs(np.diff(np.asarray(square)[48].astype(int), axis=0)).max()


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    for how in ("crop", "fill", "stretch"):
        assert resized(thirds(), WIDE, how).tobytes() == thirds().tobytes()
    with pytest.raises(RequestError, match="squash"):
        resized(thirds(), Size(8, 8), "squash")


@pytest.mark.parametrize("size", [Size(1, 1), Size(1, 400), Size(7, 3)])
@pytest.mark.parametrize("how", ["crop", "fill", "stretch"])
def test_the_smallest_pictures_are_enlarged(size: Size, how: str) -> None:
    big = resized(Image.new("RGB", size, (9, 99, 199)), Size(64, 48), how)
    assert big.size == (64, 48) and big.getextrema() == ((9, 9), (99, 99), (199, 199))


def test_extending_leaves_the_picture_where_it_was() -> None:
    canvas = extended(thirds(), 5, 0, 11, 7)
    assert canvas.size == (112, 39) and canvas.crop((5, 0, 101, 32)).tobytes() == thirds().tobytes()
    assert canvas.getpixel((0, 16))[0] > 200 and canvas.getpixel((111, 16))[2] > 200


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Size(256, 256), Size(256, 256)),
        (Size(320, 250), Size(320, 248)),  # near enough to the model's pixels: its own size
        (Size(384, 256), Size(384, 256)),
        (Size(1024, 1024), Size(256, 256)),
        (Size(3000, 1500), Size(360, 184)),
        (Size(1, 1), Size(256, 256)),
    ],
)
def test_drawing_size_follows_the_picture_and_what_the_model_was_taught(picture: Size, expected: Size) -> None:
    assert drawing_size(picture, Size(256, 256), 8) == expected
