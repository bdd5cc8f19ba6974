"""Thumbnails: small, made in the background, made anew when they are missing."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from toolkit.thumbnails import LONGEST_SIDE, Thumbnails


@pytest.fixture
def thumbnails(data: Path):
    thumbnails = Thumbnails(data)
    yield thumbnails
    thumbnails.close()


def picture(folder: Path, size: tuple[int, int] = (900, 600), name: str = "2026-01-02/00001-7.png") -> str:
    image = Image.new("RGB", size, "navy")
    ImageDraw.Draw(image).ellipse((0, 0, size[0] // 2, size[1] // 2), fill="gold")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    image.save(folder / name)
    return name


@pytest.mark.parametrize(
    ("size", "small"), [((900, 600), (256, 171)), ((300, 1200), (64, 256)), ((64, 48), (64, 48)), ((2000, 3), (256, 1))]
)
def test_keeps_the_shape_and_never_enlarges(
    thumbnails: Thumbnails, data: Path, size: tuple[int, int], small: tuple[int, int]
) -> None:
    packed = thumbnails.get(picture(data, size))
    with Image.open(io.BytesIO(packed)) as image:
        assert image.format == "WEBP" and image.size == small and max(image.size) <= LONGEST_SIDE


def test_looks_like_the_picture(thumbnails: Thumbnails, data: Path) -> None:
    with Image.open(io.BytesIO(thumbnails.get(picture(data)))) as image:
        red, green, blue = image.convert("RGB").getpixel((60, 40))
        assert red > 200 and green > 160 and blue < 80
        assert len(thumbnails.get("2026-01-02/00001-7.png")) < 10_000


def test_is_made_in_the_background_and_kept_beside_the_pictures(thumbnails: Thumbnails, data: Path) -> None:
    names = [picture(data, name=f"2026-01-02/{number:05}-7.png") for number in range(3)]
    started = time.perf_counter()
    for name in names:
        thumbnails.later(name)
    assert time.perf_counter() - started < 1.0
    thumbnails.close()
    kept = sorted((data / ".thumbs" / "2026-01-02").iterdir())
    assert [path.name for path in kept] == [f"{number:05}-7.webp" for number in range(3)]
    kept[0].write_bytes(b"the kept one is given")
    assert thumbnails.get(names[0]) == b"the kept one is given"
    thumbnails.later(names[0])
    assert thumbnails.get(names[1]) == kept[1].read_bytes()


def test_is_given_even_when_it_can_not_be_kept(thumbnails: Thumbnails, data: Path) -> None:
    name = picture(data)
    (data / ".thumbs").write_text("in the way")
    assert thumbnails.get(name)[8:12] == b"WEBP"


def test_a_picture_that_can_not_be_read_has_none(thumbnails: Thumbnails, data: Path) -> None:
    name = picture(data)
    whole = (data / name).read_bytes()
    (data / name).write_bytes(whole[: len(whole) // 2])
    assert thumbnails.get(name) is None
    (data / name).write_bytes(b"no picture")
    assert thumbnails.get(name) is None and thumbnails.get("2026-01-02/none.png") is None
    thumbnails.later(name)
    thumbnails.later(picture(data, name="2026-01-02/00002-7.png"))
    thumbnails.close()
    assert (data / ".thumbs/2026-01-02/00002-7.webp").exists(), "the thread goes on after a damaged one"


def test_remove_forgets_it(thumbnails: Thumbnails, data: Path) -> None:
    name = picture(data)
    thumbnails.get(name)
    thumbnails.remove(name)
    thumbnails.remove(name)
    assert list((data / ".thumbs/2026-01-02").iterdir()) == []
