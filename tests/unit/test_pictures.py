"""Pictures from anywhere: upright, sRGB, 8 bit, or refused in a sentence; and nobody sees another person's."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from toolkit.errors import RequestError, StorageError
from toolkit.jobs import OWNER, Who
from toolkit.opening import open_picture
from toolkit.pictures import InputPictures, pixel_hash

ANNA, BERT = Who("anna", "visitor"), Who("bert", "visitor")


def packed(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_colours() -> Image.Image:
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (0, 0, 20, 20))
    return picture


def huge_png(width: int, height: int) -> bytes:
    """A file of a few hundred bytes that says it is as large as this."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 99)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.fixture
def pictures(tmp_path: Path) -> InputPictures:
    return InputPictures(tmp_path / "inputs")


def test_a_picture_comes_back_by_its_content(pictures: InputPictures) -> None:
    kept = pictures.add(packed(two_colours()))
    assert kept.size == (40, 20) and kept.notes == () and kept.sha == pixel_hash(two_colours())
    assert pictures.get(kept.sha).tobytes() == two_colours().tobytes() and pictures.size(kept.sha) == (40, 20)
    assert pictures.add(packed(two_colours(), "BMP")).sha == kept.sha
    assert pictures.add(two_colours()).sha == kept.sha
    assert [path.name for path in pictures.folder.rglob("*.*")] == [f"{kept.sha}.png"]


def test_nobody_gets_another_persons_picture(pictures: InputPictures) -> None:
    sha = pictures.add(two_colours(), ANNA).sha
    assert pictures.get(sha, ANNA).size == (40, 20)
    for who in (BERT, OWNER):
        for ask in (pictures.get, pictures.size):
            with pytest.raises(RequestError, match="not among yours") as error:
                ask(sha, who)
            assert error.value.field == "start.image"
    assert pictures.add(two_colours(), BERT).sha == sha and pictures.get(sha, BERT).size == (40, 20)


@pytest.mark.parametrize("name", ["", "../../../etc/passwd", "A" * 64, "0" * 64, "0" * 63 + "\n"])
def test_names_that_are_none_find_nothing(pictures: InputPictures, name: str) -> None:
    with pytest.raises(RequestError, match="mask that this starts from"):
        pictures.get(name, field="start.mask")


def test_a_kept_picture_that_was_damaged_says_so(pictures: InputPictures) -> None:
    sha = pictures.add(two_colours()).sha
    [path] = pictures.folder.rglob("*.png")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(RequestError, match="choose the picture again"):
        pictures.get(sha)


def test_a_folder_that_cant_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="--data"):
        InputPictures(tmp_path / "file" / "inputs").add(two_colours())


def test_a_visitors_oldest_pictures_make_room_and_the_owners_stay(tmp_path: Path) -> None:
    noise = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8)) for i in range(4)]
    pictures = InputPictures(tmp_path, visitor_bytes=2 * len(packed(noise[0])) + 2000)
    for who in (ANNA, OWNER):
        shas = []
        for image in noise:
            shas.append(pictures.add(image, who).sha)
            time.sleep(0.02)
            pictures.get(shas[0], who)  # the first one is in use
            time.sleep(0.02)
        left = [path.stem for path in tmp_path.rglob("*.png")]
        assert len(left) == (2 if who is ANNA else 6)
        assert pictures.get(shas[0], who) and pictures.get(shas[3], who)


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_rotation_is_applied(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    opened = open_picture(packed(two_colours(), "JPEG", exif=exif, quality=100, subsampling=0)).image
    assert opened.size == ((40, 20) if turn < 5 else (20, 40))
    place = {1: (2, 2), 2: (37, 2), 3: (37, 17), 4: (2, 17), 5: (2, 2), 6: (17, 2), 7: (17, 37), 8: (2, 37)}[turn]
    red, _, blue = opened.getpixel(place)
    assert blue > 200 and red < 60


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    opened = open_picture(packed(Image.fromarray(ramp))).image
    assert opened.mode == "RGB" and [opened.getpixel((x, 0))[1] for x in (0, 64, 128, 255)] == [0, 64, 128, 255]
    floats = Image.fromarray(np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(4, 0))
    assert open_picture(packed(floats, "TIFF")).image.getpixel((128, 0)) == (128, 128, 128)


def test_cmyk_palette_grey_and_one_bit_become_rgb() -> None:
    cmyk = open_picture(packed(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "TIFF")).image
    assert cmyk.mode == "RGB" and cmyk.getpixel((4, 4)) == (255, 0, 0)
    palette = open_picture(packed(two_colours().quantize(2), "GIF")).image
    assert palette.getpixel((2, 2)) == (0, 0, 255)
    assert open_picture(packed(Image.new("L", (9, 9), 40))).image.getpixel((0, 0)) == (40, 40, 40)
    assert open_picture(packed(Image.new("1", (9, 9), 1))).image.getpixel((0, 0)) == (255, 255, 255)


def test_transparency_lies_on_white_and_is_kept_as_a_mask_when_asked(pictures: InputPictures) -> None:
    seen = Image.new("RGBA", (10, 10), (255, 0, 0, 255))
    seen.paste((0, 0, 255, 0), (0, 0, 5, 10))
    opened = open_picture(packed(seen))
    assert opened.image.getpixel((2, 2)) == (255, 255, 255) and opened.image.getpixel((7, 7)) == (255, 0, 0)
    assert opened.alpha.getpixel((2, 2)) == 0 and "on white" in opened.notes[0]
    mask = pictures.get(pictures.add_transparency(packed(seen)).sha)
    assert mask.mode == "L" and (mask.getpixel((2, 2)), mask.getpixel((7, 7))) == (255, 0)
    painted = pictures.get(pictures.add_mask(packed(seen)).sha)
    assert (painted.getpixel((2, 2)), painted.getpixel((7, 7))) == (0, 255)
    solid = Image.new("RGBA", (10, 10), (255, 255, 255, 255))
    assert open_picture(packed(solid)).alpha is None
    assert pictures.get(pictures.add_mask(packed(solid)).sha).getextrema() == (255, 255)
    with pytest.raises(RequestError, match=r"cut.png has no transparent parts"):
        pictures.add_transparency(packed(solid), name="cut.png")


def test_colours_are_read_by_their_profile() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = open_picture(packed(two_colours(), icc_profile=srgb))
    assert np.abs(np.asarray(plain.image).astype(int) - np.asarray(two_colours())).max() <= 1 and not plain.notes
    grey_in_lab = Image.new("LAB", (4, 4), (255, 128, 128))
    assert min(open_picture(packed(grey_in_lab, "TIFF", icc_profile=lab)).image.getpixel((0, 0))) >= 253


def test_a_damaged_profile_is_left_out_and_named() -> None:
    opened = open_picture(packed(two_colours(), icc_profile=b"no profile at all"))
    assert opened.image.tobytes() == two_colours().tobytes() and "colour profile is damaged" in opened.notes[0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_file_is_named(tmp_path: Path, kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8))
    path = tmp_path / f"fish.{kind.lower()}"
    whole = packed(noise, kind)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RequestError, match=rf"^fish.{kind.lower()} is cut short or damaged: save or download it again"):
        open_picture(path)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (huge_png(30_000, 30_000), "far too many pixels: make it smaller"),
        (huge_png(6_000, 6_000), "6,000 × 6,000 pixels: make it smaller"),
        (huge_png(30_001, 1), "30,001 × 1 pixels"),
        (b"", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "not a picture|cut short"),
        (Path("nowhere") / "fish.png", "no file nowhere.fish.png: choose"),
    ],
    ids=["huge", "large", "long", "empty", "eps", "svg", "zeros", "missing"],
)
def test_what_is_no_usable_picture_is_refused_at_once(source, says: str) -> None:
    began = time.perf_counter()
    with pytest.raises(RequestError, match=says) as error:
        open_picture(source)
    assert time.perf_counter() - began < 0.5 and error.value.field == "start.image"


def test_the_smallest_picture_is_a_picture() -> None:
    assert open_picture(packed(Image.new("RGB", (1, 1), (1, 2, 3)))).image.getpixel((0, 0)) == (1, 2, 3)


def test_a_mask_that_is_no_picture_marks_the_mask(pictures: InputPictures) -> None:
    with pytest.raises(RequestError, match=r"^brush.png is not a picture") as error:
        pictures.add_mask(b"nothing", name="brush.png")
    assert error.value.field == "start.mask"
