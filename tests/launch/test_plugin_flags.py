"""What plugins declare are flags of `generate`, in its help and in the request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Launch
from tests.unit.plugin_makers import write

OPTIONS = (
    "@hookimpl\ndef register_options():\n    yield Toggle('on', 'On')\n    yield Number('much', 'Much', 2, 0, 9)\n"
    "    yield Choice('way', 'Way', ('left', 'right'), help='Where to')\n"
    "@hookimpl\ndef register_postprocessors():\n"
    "    yield Postprocessor('turn', 'Turn', lambda i, o, c: i, (Number('by', 'By', 90, 0, 360),), help='Turns it')\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(write(tmp_path / "given", "my_plugin", OPTIONS))


def asked(launch: Launch, *words: str) -> dict[str, dict[str, object]]:
    done = launch("generate", "a red fish", "--dry-run", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["requests"][0].get("extras", {})


def test_options_of_plugins_are_flags(launch: Launch, folder: str) -> None:
    given = ["--plugins", folder]
    assert asked(launch, "--my-plugin-on", "--my-plugin-much", "4", *given) == {"my_plugin": {"on": True, "much": 4.0}}
    assert asked(launch, "--my-plugin-way=right", "--vector-svg", *given) == {
        "my_plugin": {"way": "right"}, "vector": {"svg": True},
    }  # fmt: skip
    assert asked(launch, *given) == {}


def test_a_wrong_one_is_one_sentence(launch: Launch, folder: str) -> None:
    for words, said in {
        ("--my-plugin-much", "400"): "choose a number from 0 to 9",
        ("--my-plugin-way=up",): "choose left, right",
        ("--my-plugin-other",): "Unrecognized arguments: --my-plugin-other",
        ("--vector-svg", "--safe-mode"): "--vector-svg",
    }.items():
        done = launch("generate", "a red fish", "--dry-run", "--plugins", folder, *words)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_the_help_lists_what_plugins_add(launch: Launch, folder: str) -> None:
    said = launch("generate", "--help", "--plugins", folder).stdout
    for line in ("--my-plugin-on ", "--my-plugin-way left|right", "Where to", "Turns it", "by=90 (0 to 360)"):
        assert line in said
    for name in ("--vector-svg", "--freeu-on", "  grain ", "amount=0.3 (0 to 1)", "  canny "):
        assert name in said
    assert "--vector-svg" not in launch("generate", "--help", "--safe-mode").stdout


def test_a_picture_is_an_option_by_its_file(launch: Launch, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "tan").save(tmp_path / "wood.png")
    step = f"paper:amount=0.5,texture=@{tmp_path / 'wood.png'}"
    done = launch("generate", "a red fish", "--dry-run", "--json", "--finish", step)
    assert done.returncode == 0, done.stderr
    [paper] = json.loads(done.stdout)["requests"][0]["finish"]
    assert paper["options"]["amount"] == 0.5 and len(paper["options"]["texture"]) == 64
