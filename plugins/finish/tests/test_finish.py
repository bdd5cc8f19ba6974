"""Every finishing step does what it says, the same way for the same seed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.errors import RequestError

FOLDER = Path(__file__).resolve().parent.parent
RAMP = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (64, 1))).convert("RGB")


@pytest.fixture(autouse=True)
def _loaded(load_plugin):
    load_plugin(FOLDER)


def test_grain_is_seeded_and_keeps_the_light(finish):
    once, again, other = (finish("grain", RAMP, seed=seed, amount=1) for seed in (1, 1, 2))
    assert once.tobytes() == again.tobytes() != other.tobytes()
    assert abs(np.asarray(once).mean() - np.asarray(RAMP).mean()) < 2
    middle, white = (np.asarray(once.crop(box)).std() for box in ((120, 0, 136, 64), (240, 0, 256, 64)))
    assert middle > white


def test_halftone_has_two_inks_and_keeps_the_tones(finish):
    gray = Image.new("RGB", (96, 96), (128, 128, 128))
    done = np.asarray(finish("halftone", gray, cell=8, ink="#000000", ground="#ffffff"))
    assert abs(done.mean() - 127.5) < 12
    assert np.median(np.minimum(done, 255 - done)) == 0


def test_paper_and_vignette_darken_where_they_should(finish):
    white = Image.new("RGB", (64, 64), "white")
    tinted = np.asarray(finish("paper", white, amount=1)).reshape(-1, 3).mean(axis=0)
    assert tinted[0] > tinted[2]
    shaded = np.asarray(finish("vignette", white, amount=1))
    assert shaded[0, 0, 0] < 60
    assert shaded[32, 32, 0] == 255


def test_grade_looks_and_files(finish, plugin_data):
    assert len({finish("grade", RAMP, look=look).tobytes() for look in ("warm", "cool", "faded")}) == 3
    (plugin_data / "luts").mkdir()
    corners = [(r, g, b) for b in (0, 1) for g in (0, 1) for r in (0, 1)]
    cube = "TITLE x\nLUT_3D_SIZE 2\n" + "\n".join(f"{1 - r} {1 - g} {1 - b}" for r, g, b in corners)
    (plugin_data / "luts" / "negative.cube").write_text(cube, "utf-8")
    turned = np.asarray(finish("grade", RAMP, cube="negative")).astype(int)
    assert np.abs(turned - (255 - np.asarray(RAMP).astype(int))).max() <= 1
    (plugin_data / "luts" / "bad.cube").write_text("LUT_3D_SIZE 9\n0 0 0", "utf-8")
    wrong = {"bad": "size 9 and has 1 colours", "none": "no file none.cube", "../x": "no name of a file"}
    for name, said in wrong.items():
        with pytest.raises(RequestError, match=said):
            finish("grade", RAMP, cube=name)


def test_border_and_caption_add_around_the_picture(finish):
    framed = finish("border", RAMP, width=0.25, color="#102030")
    assert framed.size == (256 + 32, 64 + 32)
    assert framed.getpixel((0, 0)) == (16, 32, 48)
    named = finish("caption", RAMP, text="{prompt} {seed}")
    assert named.width == 256
    assert named.height > 64
    assert named.crop((0, 64, *named.size)).getcolors(1) is None
