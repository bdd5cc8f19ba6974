"""`plugins check`: what an author is told before a plugin is given to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.plugin_makers import write
from toolkit.plugins.checking import check

MANIFEST = 'api = 1\ntitle = "T"\nversion = "1"\ndescription = "D"\nprovides = ["{}"]\n'
STEP = "@hookimpl\ndef register_postprocessors(): yield Postprocessor('{}', 'X', lambda i, o, c: i)"
COMMAND = "@hookimpl\ndef register_commands(): yield Command('go', 'H', lambda studio, words, options: 0)"


def bad(folder: Path) -> dict[str, str]:
    others = ("docs", "tests", "speed")
    return {one.about: one.said for one in check(folder) if not one.good and one.about not in others}


@pytest.mark.parametrize(
    ("source", "manifest", "about", "said"),
    [
        (STEP.format("grain"), MANIFEST.format("postprocessors"), "names", "finish has that name"),
        (STEP.format("x"), MANIFEST.format("styles"), "names", "gives postprocessors, which “provides” in plugin.toml"),
        ("", MANIFEST.format("styles"), "names", "names styles, which it doesn't give"),
        (COMMAND, MANIFEST.format("commands"), "names", "doesn't list it under [commands]"),
        ("", MANIFEST.format("commands") + "[commands]\ngo = 'H'", "names", "names commands, which it doesn't give"),
        # It stands for an import that takes seconds.
        ("import sys; sys.modules['peft'] = sys", MANIFEST.format("styles"), "weight", "loads peft when it is im"),
        (
            "import socket\ntry:\n    socket.create_connection(('example.org', 80))\nexcept OSError: pass",
            MANIFEST.format("styles"), "network", "('example.org', 80)",
        ),
        ("raise ValueError('no')", MANIFEST.format("styles"), "loading", "ValueError: no (__init__.py, line 2)"),
        ("import os; os._exit(3)", MANIFEST.format("styles"), "loading", "it ended the process that loaded it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(tmp_path: Path, source: str, manifest: str, about: str, said: str) -> None:
    found = bad(write(tmp_path, "mine", source, manifest.replace("{", "{{").replace("}", "}}")))
    assert said in found[about], found


def test_a_tab_that_cannot_be_built_is_found(tmp_path: Path) -> None:
    folder = write(tmp_path, "mine", None, MANIFEST.format("tabs"))
    (folder / "ui.py").write_text(
        "import gradio as gr\nfrom toolkit.plugins.api import *\ndef build(studio):\n    gr.Txt()\n"
        "@hookimpl\ndef register_tabs(): yield Tab('mine', 'Mine', build)",
        "utf-8",
    )
    assert bad(folder) == {"tabs": "AttributeError: module 'gradio' has no attribute 'Txt' (ui.py, line 4)"}
