"""`plugins check`: what has to hold for a plugin before it is given to others; the studio's own are held to it too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from toolkit.errors import PluginError
from toolkit.plugins import hookspecs
from toolkit.plugins.lock import files_of
from toolkit.plugins.manifest import Manifest, read_manifest, unmet

REGISTRATION_SECONDS = 0.05
TRIAL_SECONDS = 10.0
_ROOT = Path(__file__).resolve().parents[2]

# Runs in a process of its own: what is loaded, how long it took, and whether it reached for the network.
_PROBE = """
import json, socket, sys, time
def refuse(*a, **k):
    reached.append(repr(a[1:] or a)[:100])
    raise OSError("plugins have no network while they load")
reached = []
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
import dataclasses, pathlib
import PIL.Image, numpy  # what the studio has loaded before any plugin
from toolkit.plugins import api, loading, states
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
plugin = states.Plugin(name, folder, states.Source.GIVEN, module="limner_plugins." + name)
manager = loading.new_manager()
began = time.perf_counter()
given = loading.load(manager, plugin)
took = time.perf_counter() - began
heavy = [n for n in ("torch", "diffusers", "transformers", "gradio", "torchvision", "peft") if n in sys.modules]
options = [p.name for many in given.values() for one in many for p in getattr(one, "params", (one,))
           if hasattr(p, "clean") and not p.label.strip()]
print("PROBE" + json.dumps({"state": plugin.state.value, "reason": plugin.reason, "seconds": took, "heavy": heavy,
    "reached": reached, "nameless": options, "provides": plugin.provides}))
"""


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
    probe = _probe(folder)
    if probe is None:
        yield Finding("loading", False, f"it did not load within {TRIAL_SECONDS:g} seconds")
        return
    loaded = probe["state"] == "active"
    gives = ", ".join(probe["provides"]) or "nothing in __init__.py or styles"
    yield Finding("loading", loaded, gives if loaded else probe["reason"])
    if not loaded:
        return
    seconds = probe["seconds"]
    yield Finding("speed", seconds < REGISTRATION_SECONDS, f"{seconds * 1000:.0f} ms to load; at most 50 ms")
    heavy = ", ".join(probe["heavy"])
    yield Finding("weight", not heavy, f"it loads {heavy} when it is imported" if heavy else "no torch, no gradio")
    yield Finding("network", not probe["reached"], "; ".join(probe["reached"]) or "it reaches for none while it loads")
    nameless = ", ".join(probe["nameless"])
    yield Finding("options", not nameless, f"{nameless} has no label" if nameless else "every option has a label")
    docs = any(path.name.lower() == "readme.md" for path in files)
    yield Finding("docs", docs, "README.md" if docs else "there is no README.md")
    tests = [path for path in files if path.name.startswith("test_")]
    data_only = not (folder / "__init__.py").exists() and not (folder / "ui.py").exists()
    yield Finding("tests", bool(tests) or data_only, f"{len(tests)} files of tests" if tests else "there are none")


def run_tests(folder: Path) -> int:
    """Run the plugin's own tests with the fixtures of `toolkit.testing`; returns pytest's exit code."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "toolkit.testing", "--import-mode=importlib",
        "-p", "no:cacheprovider", f"--rootdir={folder / 'tests'}", str(folder / "tests"),
    ]  # fmt: skip
    return subprocess.run(command, env=environ).returncode


def _wrong_manifest(manifest: Manifest) -> str:
    for name in ("title", "version", "description"):
        if not getattr(manifest, name).strip():
            return f"“{name}” is empty"
    if manifest.api != hookspecs.API:
        return f"it is made for API {manifest.api}, and this is {hookspecs.API}"
    return "" if manifest.provides else "“provides” is empty"


def _probe(folder: Path) -> dict | None:
    path = [str(_ROOT), *filter(None, sys.path)]
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, str(folder.resolve()), folder.resolve().name],
            capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=TRIAL_SECONDS,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith("PROBE")]
    if lines:
        return json.loads(lines[-1].removeprefix("PROBE"))
    last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return {"state": "failed", "reason": f"it ended the process that loaded it: {last[:200]}"}
