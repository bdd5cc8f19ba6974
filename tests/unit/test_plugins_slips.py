"""The usual slips of who writes a plugin: each is one sentence that names the place and what would be right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.unit.plugin_makers import write
from toolkit.plugins.loading import load, load_ui, new_manager
from toolkit.plugins.manifest import Manifest
from toolkit.plugins.registry import Registry
from toolkit.plugins.states import Plugin, Source, State

STEP = "@hookimpl\ndef register_postprocessors():\n    yield Postprocessor({})"
RUN = "lambda image, options, context: image"


def plugin(folder: Path) -> Plugin:
    return Plugin(folder.name, folder, Source.GIVEN, module=f"limner_plugins.{folder.name}")


def loaded(tmp_path: Path, source: str) -> Plugin:
    """A plugin `slip` made of `source`, imported here: what is tried are sentences, nothing in them loops."""
    one = plugin(write(tmp_path, "slip", source))
    load(new_manager(), one)
    return one


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (STEP.format("'x', 'X', lambda image: image"), "called as run(image, options, context), but takes (image)"),
        (STEP.format("'x', 'X', None"), "must be an ordinary function"),
        (STEP.format(f"'x', ' ', {RUN}"), "“label” of “x” is ' '"),
        (STEP.format(f"'x', 'X', {RUN}, Number('a', 'A')"), "with a comma behind a single one"),
        (STEP.format(f"'x', 'X', {RUN}, (Number('a', 'A'), Toggle('a', 'B'))"), "“x” gives “a” twice"),
        (STEP.format(f"'x', 'X', {RUN}, (Number('a', 'A', 3),)"), "the default of “a”: 3 won't work"),
        (STEP.format("'x', 'X'"), "missing 1 required positional argument: 'run' (__init__.py, line 4)"),
        (STEP.replace("yield", "return").format(f"'x', 'X', {RUN}"), "write `yield` before it"),
        (STEP.replace("@hookimpl\n", "").format(f"'x', 'X', {RUN}"), "write @hookimpl above it"),
        (STEP.replace("postprocessors", "postprocesors").format(f"'x', 'X', {RUN}"), "register_postprocessors meant"),
        ("@hookimpl\ndef paint_it(): ...", "there is no hook paint_it; there are register_styles"),
        ("@hookimpl\ndef prepare_request(studio): ...", "can't take “studio”: it can take request, settings"),
        ("@hookimpl\ndef register_upscalers(n): ...", "can't take “n”: it takes nothing"),
        ("@hookimpl\ndef register_tabs(): ...", "stands in __init__.py, but is only asked in ui.py"),
        ("@hookimpl\ndef register_styles(): yield Style('My_Style', 'S', 'G', 'D', 'P')", "digits and hyphens"),
        ("@hookimpl\ndef register_styles(): yield Style('s', 'S', '', 'D', 'P')", "“group” of “s” is ''"),
        ("@hookimpl\ndef register_options(): yield Choice('c', 'C')", '("soft", "hard")'),
        ("@hookimpl\ndef register_settings(): yield Color('c', 'C', 'red')", "'red' is not a colour"),
        ("@hookimpl\ndef register_controls(): yield Control('c', 'C', 'canny')", '("canny",)'),
        ("@hookimpl\ndef register_exporters(): yield Exporter('e', 'E', '.txt', 't/p', min)", "without a dot"),
        (
            "@hookimpl\ndef register_prompt_transforms(): yield PromptTransform('t', 'T', min, 'prompt')",
            "“applies_to” of “t” is 'prompt'",
        ),
        *(
            (f"@hookimpl\ndef register_upscalers(): yield Upscaler('u', 'U', lambda i, s, o, c: i, {scales})", said)
            for scales, said in (
                ("(2)", "is 2, but must be a tuple"),
                ("()", "is (), but must be a tuple"),
                ("(0.5,)", "numbers from 1 to 16"),
                ("(2.0,), (Number('scale', 'S'),)", "the option “scale” already"),
            )
        ),
        ("import no_such_package_of_ours", "needs the package “no_such_package_of_ours”, which isn't installed"),
        ("from . import no_such_file_of_mine", "(__init__.py, line 2)"),
        ("\n\nraise RuntimeError('no such GPU')", "RuntimeError: no such GPU (__init__.py, line 4)"),
        ("def (", "SyntaxError: invalid syntax (__init__.py, line 2)"),
    ],
)
def test_a_slip_is_one_sentence_and_leaves_nothing_behind(tmp_path: Path, source: str, said: str) -> None:
    one = loaded(tmp_path, source)
    assert one.state is State.FAILED
    assert said in one.reason
    assert "PluginError" not in one.reason and "\n" not in one.reason
    assert not [name for name in sys.modules if name.startswith("limner_plugins.slip")]


def test_other_hooks_in_the_file_of_tabs_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path, "slip", None)
    (folder / "ui.py").write_text("from toolkit.plugins.api import *\n@hookimpl\ndef on_event(event): ...", "utf-8")
    with pytest.raises(Exception, match=r"on_event stands in ui\.py, but is only asked in __init__\.py"):
        load_ui(new_manager(), plugin(folder))


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    command = "@hookimpl\ndef register_commands(): yield Command('{}', 'H', lambda studio, words, options: 0)"
    registry = Registry()
    for name, source, listed in (
        ("alpha", command.format("generate"), {"generate": "mine"}),
        ("beta", command.format("shout"), {}),
        ("gamma", "@hookimpl\ndef register_controls(): yield Control('c', 'C', ('c',), 'none_such')", {}),
    ):
        one = plugin(write(tmp_path, name, source))
        one.manifest = Manifest(commands=listed)
        registry.load(one)
    for _ in range(2):
        registry.look()
        assert registry.problems == [
            "The command “generate” of alpha is left out: the studio has that name.",
            "The command “shout” of beta is no command of launch.py: its plugin.toml doesn't list it under [commands].",
            "The control “c” of gamma can't be used: no active plugin has the preprocessor “none_such”.",
        ]
    assert list(registry.commands()) == ["shout"]
