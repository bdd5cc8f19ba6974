"""The sketch engine paints from words, the same picture for the same request, without torch."""

from __future__ import annotations

import subprocess
import sys

from toolkit.engine.sketch import paint
from toolkit.geometry import Size


def test_a_picture_depends_on_prompt_and_seed_alone():
    size = Size(64, 48)
    first = paint("a red star", 1, size)
    assert first.size == size
    assert first.tobytes() == paint("a red star", 1, size).tobytes()
    assert first.tobytes() != paint("a red star", 2, size).tobytes()
    assert first.tobytes() != paint("a blue star", 1, size).tobytes()


def test_the_words_are_what_is_painted():
    picture = paint("a red circle, yellow background", 5, Size(128, 128))
    colours = {colour for count, colour in picture.getcolors() if count > 100}
    assert colours == {(0xE4, 0x43, 0x3D), (0xF7, 0xCF, 0x46)}


def test_an_empty_or_strange_prompt_still_gives_a_picture():
    for prompt in ("", "…", "ñandú 🦤", "red", "x" * 10_000):
        picture = paint(prompt, 0, Size(64, 64))
        assert len(picture.getcolors()) > 1


def test_sketching_needs_neither_torch_nor_diffusers():
    code = (
        "import sys, toolkit.engine.sketch, toolkit.engine.process, toolkit.models, toolkit.samplers;"
        "sys.exit(', '.join({'torch', 'diffusers', 'transformers', 'gradio'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
