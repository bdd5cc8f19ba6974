"""What a mask protects stays, byte for byte; what it shows fades in, inwards."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from toolkit.errors import RequestError
from toolkit.geometry import Size
from toolkit.masking import Box, changed_box, filled, fitting_mask, paste_back, untouched, weights

RANDOM = np.random.default_rng(0)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8))


def mask_of(size: tuple[int, int], *boxes: tuple[int, int, int, int], value: int = 255) -> Image.Image:
    mask = Image.new("L", size)
    for box in boxes:
        mask.paste(value, box)
    return mask


def test_feather_rises_inwards_by_these_numbers() -> None:
    mask = mask_of((40, 30), (10, 5, 30, 25))
    row = weights(mask, 4)[15]
    assert row[:10].max() == 0 and row[30:].max() == 0
    assert np.allclose(row[10:16], [0.104, 0.352, 0.648, 0.896, 1, 1], atol=1e-3)
    assert np.allclose(row[10:30], row[10:30][::-1])
    assert np.array_equal(weights(mask, 0), np.asarray(mask) / np.float32(255))


@pytest.mark.parametrize("feather", [0, 1, 4, 13, 64])
def test_weights_are_zero_exactly_where_the_mask_is(feather: int) -> None:
    values = (RANDOM.random((61, 47)) < 0.3) * RANDOM.integers(1, 256, (61, 47))
    values[20:40, 10:30] = 255
    mask = Image.fromarray(values.astype(np.uint8))
    result = weights(mask, feather)
    assert np.array_equal(result == 0, values == 0) and result.min() >= 0 and result.max() <= 1


def test_thin_strokes_reach_their_full_weight() -> None:
    result = weights(mask_of((60, 60), (10, 30, 50, 33), (5, 5, 6, 20)), 8)
    assert result[31, 30] == 1 and result[12, 5] == 1
    assert 0 < result[30, 30] < 1


def test_the_border_of_the_picture_is_no_edge_of_the_mask() -> None:
    assert weights(mask_of((32, 32), (16, 0, 32, 32)), 4)[0, 31] == 1
    assert weights(mask_of((32, 32), (0, 0, 32, 32)), 4).min() == 1


@pytest.mark.parametrize("size", [(64, 64), (61, 37), (1, 1)])
@pytest.mark.parametrize("feather", [0, 4, 9])
def test_pasting_back_keeps_every_byte_outside(size: tuple[int, int], feather: int) -> None:
    original, drawn = noise(*size), noise(*size)
    values = np.where(RANDOM.random(size[::-1]) < 0.5, RANDOM.integers(0, 256, size[::-1]), 0).astype(np.uint8)
    values[0, 0] = 255
    mask = Image.fromarray(values)
    result = np.asarray(paste_back(original, drawn, mask, feather))
    assert np.array_equal(result[values == 0], np.asarray(original)[values == 0])
    if feather == 0:
        assert np.array_equal(result[values == 255], np.asarray(drawn)[values == 255])


def test_pasting_into_a_box_changes_nothing_around_it() -> None:
    original, mask = noise(80, 60), mask_of((80, 60), (20, 20, 50, 40))
    box = Box(11, 12, 61, 49)
    drawn = Image.new("RGB", (100, 74), (10, 20, 30))
    result = paste_back(original, drawn, mask, 2, box)
    assert result.getpixel((35, 30)) == (10, 20, 30)
    assert untouched(result, mask) == untouched(original, mask)
    assert result.crop((0, 0, 80, 20)).tobytes() == original.crop((0, 0, 80, 20)).tobytes()


def test_untouched_hash_sees_one_changed_bit_outside_and_none_inside() -> None:
    picture, mask = noise(33, 21), mask_of((33, 21), (4, 4, 9, 9))
    before = untouched(picture, mask)
    assert before["pixels"] == 33 * 21 - 25
    outside = np.asarray(picture)[np.asarray(mask) == 0]
    assert before["sha256"] == hashlib.sha256(outside.tobytes()).hexdigest()
    inside = picture.copy()
    inside.putpixel((5, 5), (1, 2, 3))
    assert untouched(inside, mask) == before
    red, green, blue = picture.getpixel((20, 20))
    picture.putpixel((20, 20), (red ^ 1, green, blue))
    assert untouched(picture, mask) != before


@pytest.mark.parametrize(
    ("box", "padding", "aspect", "expected"),
    [
        ((50, 50, 60, 60), 10, Size(256, 256), Box(40, 40, 70, 70)),
        ((50, 50, 60, 60), 10, Size(512, 256), Box(25, 40, 85, 70)),
        ((50, 50, 60, 60), 10, Size(256, 512), Box(40, 25, 70, 85)),
        ((0, 0, 10, 10), 10, Size(256, 256), Box(0, 0, 20, 20)),
        ((190, 90, 200, 100), 5, Size(512, 256), Box(170, 85, 200, 100)),
        ((0, 40, 200, 60), 0, Size(256, 256), Box(0, 0, 200, 100)),  # as far as the picture goes
    ],
)
def test_the_box_takes_the_shape_of_the_model_and_stays_inside(box, padding, aspect, expected) -> None:
    assert changed_box(mask_of((200, 100), box), padding, aspect) == expected


def test_masks_of_another_size() -> None:
    small = mask_of((50, 25), (10, 10, 20, 20))
    fitted = np.asarray(fitting_mask(small, Size(200, 100)))
    assert fitted.shape == (100, 200) and set(np.unique(fitted)) == {0, 255} and fitted.sum() == 255 * 40 * 40
    large = np.asarray(fitting_mask(mask_of((400, 200), (41, 40, 80, 80)), Size(200, 100)))
    assert large[:, :20].max() == 0 and large[:, 40:].max() == 0 and large[30, 30] == 255
    with pytest.raises(RequestError, match="50 × 50 and the picture 200 × 100") as error:
        fitting_mask(Image.new("L", (50, 50), 255), Size(200, 100))
    assert error.value.field == "start.mask"


def test_an_empty_mask_is_refused_and_a_full_one_is_not() -> None:
    with pytest.raises(RequestError, match="nothing to change"):
        fitting_mask(Image.new("L", (20, 20)), Size(20, 20))
    full = fitting_mask(Image.new("L", (20, 20), 255), Size(20, 20))
    drawn = noise(20, 20)
    assert paste_back(noise(20, 20), drawn, full, 8).tobytes() == drawn.tobytes()
    assert untouched(drawn, full)["pixels"] == 0


@pytest.mark.parametrize("size", [(64, 64), (61, 37), (5, 3)])
def test_filling_runs_the_colours_in_and_leaves_the_rest(size: tuple[int, int]) -> None:
    width, height = size
    ramp = np.zeros((height, width, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, width)[None]
    ramp[..., 2] = 77
    mask = mask_of(size, (width // 4, height // 4, width * 3 // 4, height * 3 // 4 + 1))
    hidden = Image.fromarray(np.where(np.asarray(mask)[..., None] > 0, 0, ramp).astype(np.uint8))
    result = np.asarray(filled(hidden, mask)).astype(int)
    assert np.array_equal(result[np.asarray(mask) == 0], ramp[np.asarray(mask) == 0])
    assert np.abs(result[..., 2] - 77).max() <= 1
    assert np.abs(result[..., 0] - ramp[..., 0])[np.asarray(mask) > 0].mean() < 30


def test_filling_without_anything_known_is_grey() -> None:
    assert filled(noise(9, 9), Image.new("L", (9, 9), 255)).getextrema() == ((128, 128),) * 3
