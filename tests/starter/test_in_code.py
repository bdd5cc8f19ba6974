"""The scripts of docs/starter-in-code.md, run as they stand there, with Limner out of reach."""

import json
import os
import re
import subprocess
import sys

import pytest
from PIL import Image, ImageStat

from toolkit.starter.paths import ROOT

SCRIPTS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "starter-in-code.md").read_text(encoding="utf-8"), re.S)


# One process for all, as most of each script's time goes into its imports.
RUN = """
import json, sys
sys.modules["toolkit"] = sys.modules["webui"] = None
for script in json.load(sys.stdin):
    exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the models alone, and in it what the scripts draw, one after the other; and what they print."""
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "models").symlink_to(ROOT / "models")
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=folder, input=json.dumps(SCRIPTS), capture_output=True, text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, done.stdout


def test_scripts_have_ten_lines_and_no_limner():
    for script in SCRIPTS:
        assert len(script.strip().splitlines()) <= 10
        assert "toolkit" not in script


def test_every_file_of_the_kit_is_in_a_script():
    text = "\n".join(SCRIPTS)
    kit = (
        path for path in (ROOT / "models").rglob("limner-starter*") if path.is_dir() or path.suffix == ".safetensors"
    )
    for path in kit:
        name = path.stem if path.suffix else path.name
        last = name.removeprefix("limner-starter-")
        assert name in text or f'"{last}"' in text or re.search(rf"\b{last.removeprefix('x')}\b", text), name


def test_every_script_draws(made):
    folder, _ = made
    pictures = {path.stem: Image.open(path).convert("RGB") for path in folder.glob("*.png")}
    assert set(pictures) == {
        "fish", "blueprint", "linocut", "neon", "risograph", "draft", "lines", "depth", "x2", "x4",
    }  # fmt: skip
    for name, picture in pictures.items():
        assert picture.width == {"x2": 512, "x4": 1024}.get(name, 256)
        assert max(ImageStat.Stat(picture).stddev) > 10, name
    red, green, blue = (sum(ImageStat.Stat(pictures["fish"]).median[band : band + 1]) for band in range(3))
    assert blue > red, "the background is blue"
    assert blue > green


def test_the_caption_that_fits_scores_best(made):
    _, printed = made
    right, wrong = (float(value) for value in re.search(r"tensor\(\[\[([\d.e+-]+), ([\d.e+-]+)\]\]", printed).groups())
    assert right > wrong
