"""`launch.py generate` as a person types it: a picture and a JSON object, the same picture again, one sentence else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

ROOT = Path(__file__).resolve().parents[2]


def generate(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "launch.py"), "generate", *arguments, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def test_a_picture_is_drawn_enlarged_and_drawn_again(tmp_path: Path) -> None:
    words = ["a red heart on a wizard", "--seed", "7", "--steps", "4", "--finish", "paper", "--upscale", "2"]
    done = generate(tmp_path, *words, "--dtype", "float32", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"request", "files", "seconds"}
    assert set(answer["seconds"]) >= {"load", "encode", "denoise", "decode", "total"}
    assert answer["request"]["seed"] == 7 and "wizard" in done.stderr
    assert [step["name"] for step in answer["request"]["finish"]] == ["upscale", "paper"]
    out = tmp_path / "again.png"
    again = generate(tmp_path, "--from", answer["files"][0], "--dtype", "float32", "--out", str(out))
    assert again.returncode == 0, again.stderr
    with Image.open(answer["files"][0]) as first, Image.open(out) as second:
        assert first.size == second.size == (512, 512)
        difference = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
    assert max(high for _, high in difference.getextrema()) <= 1
    smaller = generate(tmp_path, "--from", answer["files"][0], "--upscale", "1.5", "--dry-run", "--json")
    assert smaller.returncode == 0, smaller.stderr
    [request] = json.loads(smaller.stdout)["requests"]
    assert [step["name"] for step in request["finish"]] == ["upscale", "paper"]
    assert request["finish"][0]["options"] == {"scale": 1.5}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], "empty"),
        (["a cat", "--size", "250x256"], "248 × 256"),
        (["a cat", "--steps", "0"], "1 to 150"),
        (["a cat", "--guidance", "nan"], "nan"),
        (["a cat", "--sampler", "magic"], "Euler a"),
        (["a cat", "--model", "nobody"], "limner-starter"),
        (["a cat", "--out", "/proc/nothing/x.png"], "/proc/nothing/x.png"),
        (["--from", __file__], "not a picture"),
        (["a cat", "--upscale", "99"], "choose a number from 1.5 to 8"),
    ],
)
def test_what_cannot_be_drawn_gets_one_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = generate(tmp_path, *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert words in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
