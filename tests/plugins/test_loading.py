"""Finding and loading: each plugin has a state and a reason, and no plugin stops another or the studio."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

from tests.unit.plugin_makers import load, write
from toolkit.errors import PluginError
from toolkit.plugins import adding, discovery, watchdog
from toolkit.plugins.lock import Lock, fingerprint
from toolkit.plugins.manifest import parse_manifest
from toolkit.plugins.plugins import Plugins
from toolkit.plugins.states import State
from toolkit.plugins.watchdog import Tried, try_all

LOOP = "while True: pass"
GOOD = "@hookimpl\ndef register_postprocessors():\n    yield Postprocessor('good', 'Good', lambda i, o, c: i)"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little of a processor a trial gets, what is found doesn't depend on it."""
    monkeypatch.setattr(watchdog, "PATIENCE", 30)


def states(plugins: Plugins) -> dict[str, str]:
    return {plugin.name: plugin.state.value for plugin in plugins.found}


def test_one_good_plugin_among_five_bad_ones(tmp_path: Path, patient: None) -> None:
    place, trials = tmp_path / "given", tmp_path / "trials"
    write(place, "good", GOOD)
    write(place, "syntax", "def (")
    write(place, "bare", "", manifest=None)
    write(place, "future", "raise SystemExit", manifest="api = 99")
    write(place, "raises", "raise RuntimeError('no such GPU')")
    told = f"import os\nwith open({str(trials)!r}, 'a') as file:\n    print(os.getpid(), file=file)\n"
    write(place, "loops", told + LOOP)
    plugins = Plugins(tmp_path / "data", own=None, given=[place])
    assert states(plugins) == {
        "good": "active", "syntax": "failed", "bare": "failed", "future": "incompatible", "raises": "failed",
        "loops": "failed",
    }  # fmt: skip
    reasons = {plugin.name: plugin.reason for plugin in plugins.found}
    assert "SyntaxError" in reasons["syntax"]
    assert "no plugin.toml" in reasons["bare"]
    assert "API 99" in reasons["future"]
    assert reasons["raises"] == "RuntimeError: no such GPU (__init__.py, line 2)"
    assert f"within {watchdog.SECONDS:g} seconds" in reasons["loops"]
    assert "no such GPU" in plugins.get("raises").traceback
    assert [step.plugin.name for step in plugins.registry.steps().values()] == ["good"]
    [process] = trials.read_text("utf-8").split()
    assert not psutil.pid_exists(int(process)), "the process of the trial was ended"
    again = Plugins(tmp_path / "data", own=None, given=[place])
    assert again.get("loops").reason == reasons["loops"]
    assert trials.read_text("utf-8").split() == [process], "what loops is known by its hash and not tried again"


def test_a_plugin_that_ends_its_process_is_a_failed_one(tmp_path: Path) -> None:
    plugins = load(tmp_path, quits="import os; os._exit(0)", leaves="import sys; sys.exit(3)", good=GOOD)
    assert states(plugins) == {"quits": "failed", "leaves": "failed", "good": "active"}
    assert "ended the process" in plugins.get("quits").reason


def test_a_loop_while_registering_is_found_too(tmp_path: Path) -> None:
    folder = write(tmp_path, "slow", "@hookimpl\ndef register_styles():\n    while True: pass")
    plugin = discovery._read(discovery.Plugin("slow", folder, discovery.Source.GIVEN))
    plugin.sha256 = fingerprint(folder)
    try_all([plugin], Tried(None), seconds=2)
    assert plugin.state is State.FAILED
    assert "within 2 seconds" in plugin.reason


def test_what_waits_is_tried_again(tmp_path: Path) -> None:
    """A plugin that waits for a file, a lock or a computer may find it next time; only what loops is remembered."""
    folder = write(tmp_path, "waits", "import time\ntime.sleep(3600)")
    plugin = discovery._read(discovery.Plugin("waits", folder, discovery.Source.GIVEN))
    plugin.sha256, tried = fingerprint(folder), Tried(None)
    try_all([plugin], tried, seconds=1)
    assert (plugin.state, "within 1 seconds" in plugin.reason) == (State.FAILED, True)
    assert tried.get(plugin.sha256) is None


def test_a_trial_that_begins_late_blames_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, "good", GOOD)
    plugin = discovery._read(discovery.Plugin("good", folder, discovery.Source.GIVEN))
    plugin.sha256, tried = fingerprint(folder), Tried(None)
    monkeypatch.setattr(watchdog, "STARTING_SECONDS", 0.001)
    monkeypatch.setattr(watchdog, "PATIENCE", 1)
    try_all([plugin], tried)
    assert (plugin.state, "did not begin within 0.001 seconds" in plugin.reason) == (State.FAILED, True)
    assert tried.get(plugin.sha256) is None, "so that the next start tries it again"
    plugin.state = State.FOUND
    monkeypatch.setattr(watchdog, "STARTING_SECONDS", 60)
    try_all([plugin], tried)
    assert (plugin.state, tried.get(plugin.sha256)) == (State.FOUND, "")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("@hookimpl\ndef register_style(): return []", "register_style"),
        ("@hookimpl\ndef prepare_request(reqest): ...", "reqest"),
        ("@hookimpl\ndef register_styles(): return [1]", "must give Style"),
        ("@hookimpl\ndef register_postprocessors(): yield Postprocessor('Bad Name', 'x', len)", "can't be a name"),
        ("@hookimpl\ndef register_postprocessors(): yield Postprocessor('x', 'x', None)", "ordinary function"),
        ("@hookimpl\nasync def on_event(event): ...", "async"),
        (
            (
                "@hookimpl\ndef register_postprocessors():\n    yield Postprocessor('x', 'x', lambda i, o, c: i)\n"
                "    raise OSError('late')"
            ),
            "late",
        ),
    ],
)
def test_a_half_bad_plugin_leaves_nothing_behind(tmp_path: Path, source: str, said: str) -> None:
    plugins = load(tmp_path, bad=source)
    plugin = plugins.get("bad")
    assert plugin.state is State.FAILED
    assert said in plugin.reason
    assert plugin.provides == []
    assert not plugins.registry.steps()
    assert not [name for name in sys.modules if name.startswith("limner_plugins.bad")]


def test_of_two_nouns_with_one_name_the_first_stays_and_both_owners_are_named(tmp_path: Path) -> None:
    plugins = load(tmp_path, alpha=GOOD, beta=GOOD)
    assert plugins.registry.steps()["good"].plugin.name == "alpha"
    assert plugins.problems == ["The finishing step “good” of beta is left out: alpha has that name."]


def test_of_two_plugins_with_one_name_the_first_stays(tmp_path: Path) -> None:
    write(tmp_path / "one", "twin", GOOD)
    write(tmp_path / "two", "twin", GOOD)
    plugins = Plugins(tmp_path / "data", own=None, given=[tmp_path / "one", tmp_path / "two"])
    assert [plugin.state.value for plugin in plugins.found] == ["active", "failed"]
    assert str(tmp_path / "one" / "twin") in plugins.found[1].reason


def test_a_new_plugin_waits_for_permission_and_asks_again_when_it_changes(tmp_path: Path) -> None:
    folder = write(tmp_path / "own", "mine", GOOD)

    def opened() -> Plugins:
        return Plugins(tmp_path / "data", own=tmp_path / "own")

    plugin = opened().get("mine")
    assert (plugin.state, "plugins allow mine" in plugin.reason) == (State.FOUND, True)
    assert opened().allow("mine").state is State.ACTIVE
    assert opened().get("mine").state is State.ACTIVE
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__" / "x.pyc").write_bytes(b"1")
    source = (folder / "__init__.py").read_bytes()
    (folder / "__init__.py").write_bytes(source.replace(b"\n", b"\r\n"))
    assert opened().get("mine").state is State.ACTIVE, "line ends and caches don't count"
    (folder / "__init__.py").write_bytes(source.replace(b"Good", b"Goad"))
    changed = opened()
    assert (changed.get("mine").state, changed.registry.steps()) == (State.CHANGED, {})
    assert changed.allow("mine").state is State.ACTIVE


def test_disabled_plugins_and_safe_mode_import_nothing(tmp_path: Path) -> None:
    write(tmp_path / "given", "mine", "open('ran', 'w')\n" + GOOD)
    plugins = Plugins(tmp_path / "data", own=None, given=[tmp_path / "given"], safe=True)
    assert plugins.get("mine").state is State.DISABLED
    assert "--safe-mode" in plugins.get("mine").reason
    plugins.enable("mine", False)
    again = Plugins(tmp_path / "data", own=None, given=[tmp_path / "given"])
    assert again.get("mine").state is State.DISABLED
    assert "limner_plugins.mine" not in sys.modules


def test_switching_off_keeps_settings_and_comments(tmp_path: Path) -> None:
    setting = "\n@hookimpl\ndef register_settings():\n    yield Number('size', 'Size', 3, 1, 9)"
    plugins = load(tmp_path, mine=GOOD + setting)
    file = tmp_path / "data" / "plugins.toml"
    plugins.set("mine", {"size": 5})
    file.write_text("# mine, all mine\n" + file.read_text("utf-8"), "utf-8")
    plugins = Plugins(tmp_path / "data", own=None, given=[tmp_path / "given"])
    assert plugins.settings("mine") == {"size": 5}
    assert plugins.enable("mine", False).state is State.DISABLED
    assert plugins.registry.steps() == {}
    assert plugins.enable("mine", True).state is State.ACTIVE
    assert plugins.settings("mine") == {"size": 5}
    assert file.read_text("utf-8").startswith("# mine, all mine")


def test_the_engine_gets_the_same_plugins_and_no_changed_ones(tmp_path: Path) -> None:
    plugins = load(tmp_path, one=GOOD, two=GOOD.replace("'good'", "'other'"))
    plain = plugins.handoff()
    assert list(Plugins.from_handoff(plain).registry.steps()) == ["good", "other"]
    (tmp_path / "given" / "two" / "__init__.py").write_text("while True: pass", "utf-8")
    there = Plugins.from_handoff(plain)
    assert (list(there.registry.steps()), there.get("two").state) == (["good"], State.CHANGED)


def test_a_pip_package_is_found_by_its_entry_point_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    write(site, "limner_dots", GOOD + "\nIMPORTED = True")
    about = site / "limner_dots-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: limner-dots\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text("[limner.plugins]\ndots = limner_dots\n", "utf-8")
    monkeypatch.syspath_prepend(str(site))
    plugins = Plugins(tmp_path / "data", own=None)
    assert plugins.get("dots").state is State.FOUND
    assert "limner_dots" not in sys.modules
    assert plugins.allow("dots").state is State.ACTIVE
    assert plugins.registry.steps()["good"].plugin.name == "dots"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "“api” is None"),
        ("api = true", "“api” is True"),
        ("api = 1\nprovide = []", "“provide” is not known"),
        ('api = 1\nrequires = ["Torch>=2"]', "provided by the studio"),
        ('api = 1\nprovides = ["magic"]', "can't provide “magic”"),
        ("api = 1\ntitle = 3", "“title” is 3"),
        ("api = ", "not valid TOML"),
    ],
)
def test_a_wrong_manifest_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        parse_manifest(text)


def test_a_missing_requirement_is_a_sentence_with_the_remedy(tmp_path: Path) -> None:
    write(tmp_path / "given", "needy", GOOD, 'api = 1\nrequires = ["no-such-package-of-ours>=2", "pillow>=1"]')
    plugin = Plugins(tmp_path / "data", own=None, given=[tmp_path / "given"]).get("needy")
    assert plugin.state is State.FAILED
    assert 'pip install -c requirements.txt "no-such-package-of-ours>=2"' in plugin.reason


def test_a_zip_is_added_as_it_was_shown(tmp_path: Path) -> None:
    folder = write(tmp_path / "src", "dots", GOOD)
    packed = tmp_path / "dots.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"dots/{path.name}")
    (tmp_path / "own").mkdir()
    with adding.fetch(str(packed)) as offer:
        assert offer.files == ("__init__.py", "plugin.toml")
        assert any("licence" in line for line in offer.lines())
        target = adding.place(offer, tmp_path / "own")
    assert fingerprint(target) == fingerprint(folder)
    with adding.fetch(str(packed)) as offer, pytest.raises(PluginError, match="remove that folder first"):
        adding.place(offer, tmp_path / "own")


def test_a_folder_is_added_and_nothing_of_it_is_run(tmp_path: Path) -> None:
    folder = write(tmp_path / "src", "dots", "raise SystemExit('it was run')")
    (tmp_path / "own").mkdir()
    with adding.fetch(str(folder)) as offer:
        target = adding.place(offer, tmp_path / "own")
    assert (target, fingerprint(target)) == (tmp_path / "own" / "dots", fingerprint(folder))


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_git_address_is_added_without_its_history(tmp_path: Path) -> None:
    folder = write(tmp_path / "src", "limner-dots", GOOD)
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    (tmp_path / "own").mkdir()
    with adding.fetch(folder.as_uri()) as offer:
        assert (offer.name, offer.files) == ("dots", ("__init__.py", "plugin.toml"))
        target = adding.place(offer, tmp_path / "own")
    assert sorted(path.name for path in target.iterdir()) == ["__init__.py", "plugin.toml"]
    nowhere = (tmp_path / "nowhere").as_uri()
    with pytest.raises(PluginError, match="can't be fetched"), adding.fetch(nowhere):
        pass


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "dots/../../evil", "C:/evil"])
def test_a_zip_can_write_nowhere_else(tmp_path: Path, name: str) -> None:
    packed = tmp_path / "x.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(PluginError, match="leads out of its folder"), adding.fetch(str(packed)):
        pass


def test_a_damaged_lock_allows_nothing(tmp_path: Path) -> None:
    (tmp_path / "plugins.lock").write_text("[x\n", "utf-8")
    lock = Lock(tmp_path / "plugins.lock")
    assert (lock.hash("x"), "can't be read" in lock.problem) == (None, True)


def test_a_tab_that_loops_is_found_before_the_page_is_built(tmp_path: Path, patient: None) -> None:
    head = "import gradio as gr\nfrom toolkit.plugins.api import Tab, hookimpl\n"
    tabs = "\n@hookimpl\ndef register_tabs():\n    yield Tab('a', 'A', build)\n"
    for name, body in {
        "loops": "    gr.Markdown('half')\n    while True: pass",
        "raises": "    gr.Number(len(studio.models.list()))\n    raise RuntimeError('no such widget')",
    }.items():
        source = f"{head}def build(studio):\n{body}\n{tabs}"
        (write(tmp_path / "given", name, GOOD) / "ui.py").write_text(source, "utf-8")
    (write(tmp_path / "given", "imports", GOOD) / "ui.py").write_text(LOOP, "utf-8")
    plugins = Plugins(tmp_path / "data", own=None, given=[tmp_path / "given"])
    assert states(plugins) == {"loops": "failed", "imports": "failed", "raises": "active"}
    for name in ("loops", "imports"):
        assert f"within {watchdog.SECONDS:g} seconds" in plugins.get(name).reason


def test_an_example_is_off_until_it_is_switched_on(tmp_path: Path) -> None:
    write(tmp_path / "given", "example", GOOD, manifest="api = 1\nenabled = false\n")
    plugins = Plugins(tmp_path / "data", own=None, given=[tmp_path / "given"])
    assert plugins.get("example").state is State.DISABLED
    assert "until you switch it on" in plugins.get("example").reason
    assert plugins.enable("example").state is State.ACTIVE
    assert Plugins(tmp_path / "data", own=None, given=[tmp_path / "given"]).get("example").state is State.ACTIVE
