"""The plugins that come with Limner: allowed as they are, light, and held to what is asked of everybody's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Launch
from toolkit.commands import plugins as plugins_command
from toolkit.plugins import hookspecs
from toolkit.plugins.checking import check, run_tests
from toolkit.plugins.lock import Lock, fingerprint
from toolkit.plugins.plugins import BUNDLED, FOLDER, Plugins
from toolkit.plugins.scaffold import KINDS, write_plugin
from toolkit.plugins.states import State
from toolkit.request import GenerationRequest
from toolkit.settings import load_settings
from toolkit.studio import Studio

NAMES = sorted(path.parent.name for path in FOLDER.glob("*/plugin.toml") if path.parent.name in Lock(BUNDLED))


HOOKS = [name for name, spec in vars(hookspecs).items() if hasattr(spec, "limner_spec")]
OFF = {"example_tab"}  # an example of a page, for who writes one


def test_they_are_all_there() -> None:
    assert NAMES == [
        "controlnet", "cutout", "example_tab", "finish", "freeu", "lora_styles", "palette", "print_shop", "provenance",
        "safety", "upscalers", "vector", "wildcards",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_lock_has_the_hash_of_the_files(name: str) -> None:
    assert Lock(BUNDLED).hash(name) == fingerprint(FOLDER / name), "run `python3 launch.py plugins lock`"


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_nothing(name: str) -> None:
    # How long loading took is measured by `test_they_start_quickly`, in one process and with a second chance.
    bad = [finding for finding in check(FOLDER / name) if not finding.good and finding.about != "speed"]
    assert not bad


@pytest.mark.timeout(900)
def test_their_own_tests_pass() -> None:
    assert run_tests(*(FOLDER / name for name in NAMES)) == 0


def test_they_start_quickly(tmp_path: Path) -> None:
    took = []
    for _ in range(5):
        began = time.process_time()
        plugins = Plugins(tmp_path)
        took.append(time.process_time() - began)
        assert {name for name in NAMES if plugins.get(name).state is not State.ACTIVE} == OFF
    assert min(took) < 0.1


def test_one_changed_byte_is_noticed(tmp_path: Path) -> None:
    own = tmp_path / "plugins"
    for name in ("finish", "cutout"):
        shutil.copytree(FOLDER / name, own / name)
    source = (own / "finish" / "printing.py").read_text("utf-8")
    (own / "finish" / "printing.py").write_text(source.replace("0.25", "0.26"), "utf-8")
    plugins = Plugins(tmp_path / "data", own=own)
    assert (plugins.get("finish").state, plugins.get("cutout").state) == (State.CHANGED, State.ACTIVE)
    assert list(plugins.registry.steps()) == ["cutout"]
    assert plugins.allow("finish").state is State.ACTIVE


def test_the_command_line_lists_them_as_json(launch: Launch) -> None:
    listed = json.loads(launch("plugins", "list", "--json").stdout)
    for one in listed:
        assert set(one) == {"name", "state", "reason", "provides", "seconds", "version"}
    assert {one["name"] for one in listed if one["state"] == "active"} >= set(NAMES) - OFF
    safe = json.loads(launch("--safe-mode", "plugins", "list", "--json").stdout)
    assert {one["state"] for one in safe} == {"disabled"}


def test_who_stops_reading_sees_no_traceback(data: Path) -> None:
    command = [sys.executable, str(FOLDER.parent / "launch.py"), "plugins", "list", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as listing:
        listing.stdout.close()
        said = listing.stderr.read()
    assert (listing.returncode, said) == (1, "")


def test_plugins_is_taken_before_and_after_the_command(launch: Launch, tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place / f"mine_{place}").mkdir(parents=True)
        (tmp_path / place / f"mine_{place}" / "plugin.toml").write_text("api = 1\n", "utf-8")
    words = ["--plugins", str(tmp_path / "a"), "plugins", "list", f"--plugins={tmp_path / 'b'}", "--json"]
    states = {one["name"]: one["state"] for one in json.loads(launch(*words).stdout)}
    assert (states["mine_a"], states["mine_b"]) == ("active", "active")
    assert "there is no folder" in launch("--plugins", str(tmp_path / "none"), "plugins").stderr


def test_a_new_plugin_passes_its_check(launch: Launch, tmp_path: Path) -> None:
    made = launch("plugins", "new", "my_tab", "--kind", "tab", "--in", str(tmp_path))
    assert made.returncode == 0, made.stderr
    checked = launch("plugins", "check", str(tmp_path / "my_tab"), timeout=240)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "is fine" in checked.stdout
    again = launch("plugins", "new", "my_tab", "--in", str(tmp_path))
    assert "is there already" in again.stderr


def test_every_kind_of_new_plugin_is_sound_and_its_test_passes(tmp_path: Path) -> None:
    folders = [write_plugin(tmp_path, f"my_{kind}", kind)[0].parent for kind in KINDS if kind != "tab"]
    for folder in folders:
        assert not [finding for finding in check(folder) if not finding.good]
    assert run_tests(*folders) == 0


def test_the_command_line_knows_every_kind() -> None:
    assert plugins_command.KINDS == KINDS


def test_a_plugins_command_is_a_command(launch: Launch) -> None:
    said = launch("vector")
    assert (said.returncode, "Name the pictures" in said.stdout) == (2, True)


def test_every_hook_is_used_by_one_of_them(tmp_path: Path) -> None:
    plugins = Plugins(tmp_path)
    plugins.enable("example_tab")
    used = {hook for name in NAMES for hook in plugins.registry._given[name] if plugins.registry._given[name][hook]}
    used |= {hook for hook in HOOKS if plugins.registry.implementations(hook)}
    used |= {"register_tabs"} if plugins.registry.load_tabs(plugins.get("example_tab")) else set()
    assert set(HOOKS) - used == set()


def test_the_studio_draws_without_any_of_them(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    plugins = Plugins(tmp_path / "data", own=tmp_path / "empty")
    assert plugins.found == []
    with Studio(settings=load_settings(data=tmp_path / "data"), engine="sketch", plugins=plugins) as studio:
        [made] = studio.generate(GenerationRequest("a {red|blue} fish"))
        assert made.request.prompt == "a {red|blue} fish" and made.path.is_file()
