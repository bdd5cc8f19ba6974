"""`plugins check`: what has to hold for a plugin before it is given to others; the studio's own are held to it too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.errors import PluginError
from toolkit.plugins import hookspecs
from toolkit.plugins.lock import files_of
from toolkit.plugins.manifest import FILE, Manifest, read_manifest, unmet
from toolkit.plugins.probe import MARK

REGISTRATION_SECONDS = 0.05
TRIAL_SECONDS = 10.0
TABS_SECONDS = 120.0  # most of it is gradio's; a tab itself has the seconds of a trial
_ROOT = Path(__file__).resolve().parents[2]


class Finding(NamedTuple):
    """One check: what it was about, whether it holds, and what was found."""

    about: str
    good: bool
    said: str


def check(folder: Path) -> Iterator[Finding]:
    """Check the plugin in `folder`, one finding after another; the first bad one of reading and loading is the last."""
    try:
        manifest = read_manifest(folder)
        files = list(files_of(folder))
    except PluginError as error:
        yield Finding("manifest", False, str(error))
        return
    wrong = _wrong_manifest(manifest)
    yield Finding("manifest", not wrong, wrong or f"{manifest.title} {manifest.version}, API {manifest.api}")
    if manifest.api != hookspecs.API:
        return
    missing = unmet(manifest.requires)
    yield Finding("requirements", not missing, missing or (", ".join(manifest.requires) or "none"))
    probe = _probe(folder, "plugin", TRIAL_SECONDS)
    loaded, has_tabs = probe["state"] == "active", (folder / "ui.py").is_file()
    gives = ", ".join(probe.get("provides", ())) or ("the tabs of ui.py" if has_tabs else "nothing")
    yield Finding("loading", loaded, gives if loaded else probe["reason"])
    if not loaded:
        return
    if has_tabs:
        tabs = {"tabs": []} | _probe(folder, "tabs", TABS_SECONDS)
        yield Finding("tabs", not tabs["reason"], tabs["reason"] or ", ".join(tabs["tabs"]) or "none")
    wrong = _wrong_words(manifest, probe)
    yield Finding("names", not wrong, wrong or "as the manifest says, and nobody else has them")
    seconds = probe["seconds"]
    yield Finding("speed", seconds < REGISTRATION_SECONDS, f"{seconds * 1000:.0f} ms to load; at most 50 ms")
    heavy = ", ".join(probe["heavy"])
    yield Finding("weight", not heavy, f"it loads {heavy} when it is imported" if heavy else "no torch, no gradio")
    yield Finding("network", not probe["reached"], "; ".join(probe["reached"]) or "it reaches for none while it loads")
    options = probe["options"]  # one without a label, or with a default that it refuses, isn't loaded
    yield Finding("options", True, f"{options}, each with a label and a default that works" if options else "none")
    docs = any(path.name.lower() == "readme.md" for path in files)
    yield Finding("docs", docs, "README.md" if docs else "there is no README.md")
    tests = [path for path in files if path.name.startswith("test_")]
    data_only = not (folder / "__init__.py").exists() and not (folder / "ui.py").exists()
    names = ", ".join(path.name for path in tests)
    yield Finding("tests", bool(tests) or data_only, names or "there are none")


def run_tests(*folders: Path) -> int:
    """Run the plugins' own tests with the fixtures of `toolkit.testing`; returns pytest's exit code."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}
    tests = [str(folder / "tests") for folder in folders]
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "toolkit.testing", "--import-mode=importlib",
        "-p", "no:cacheprovider", f"--rootdir={tests[0]}", *tests,
    ]  # fmt: skip
    return subprocess.run(command, env=environ).returncode


def _wrong_manifest(manifest: Manifest) -> str:
    for name in ("title", "version", "description"):
        if not getattr(manifest, name).strip():
            return f"“{name}” is empty"
    if manifest.api != hookspecs.API:
        return f"it is made for API {manifest.api}, and this is {hookspecs.API}"
    return "" if manifest.provides else "“provides” is empty"


def _wrong_words(manifest: Manifest, probe: Mapping[str, Any]) -> str:
    """What the manifest says against what the plugin gives, and names that are taken."""
    extra = [kind for kind in probe["kinds"] if kind not in manifest.provides]
    lacking = [kind for kind in manifest.provides if kind not in probe["kinds"]]
    if extra:
        return f"it gives {', '.join(extra)}, which “provides” in {FILE} doesn't name"
    if lacking:
        return f"“provides” in {FILE} names {', '.join(lacking)}, which it doesn't give"
    unknown = [name for name in manifest.commands if name not in probe["commands"]]
    if unknown:
        return f"[commands] in {FILE} lists “{unknown[0]}”, which register_commands doesn't give"
    return " ".join(probe["taken"])


def _probe(folder: Path, what: str, seconds: float) -> dict[str, Any]:
    """What the process of the check said of the plugin, or of its tabs; it is ended after `seconds`."""
    path = [str(_ROOT), *filter(None, sys.path)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "toolkit.plugins.probe", str(folder.resolve()), what],
            capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=seconds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"state": "failed", "reason": f"it was not done within {seconds:g} seconds: it loops or waits"}
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if lines:
        return json.loads(lines[-1].removeprefix(MARK))
    last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return {"state": "failed", "reason": f"it ended the process that loaded it: {last[:200]}"}
