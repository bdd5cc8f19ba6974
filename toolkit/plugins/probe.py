"""The process of `plugins check`: `python -m toolkit.plugins.probe FOLDER plugin|tabs` loads one and says how it went.

The answer is a line of JSON behind PROBE. Tabs are asked for by themselves: they need gradio, which takes seconds.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

HEAVY = ("torch", "diffusers", "transformers", "gradio", "torchvision", "peft")
MARK = "PROBE"


def main(folder: Path, what: str) -> None:
    reached = _without_network()
    import numpy  # noqa: F401  what the studio has loaded before any plugin
    import PIL.Image  # noqa: F401

    said = _tabs(folder) if what == "tabs" else _loaded(folder) | {"reached": reached}
    print(MARK + json.dumps(said), flush=True)


def _without_network() -> list[str]:
    """Refuse connections from now on; the list holds what was reached for."""
    reached: list[str] = []

    def refuse(*given: Any, **_: Any) -> NoReturn:
        reached.append(repr(given[1:] or given)[:100])
        raise OSError("plugins have no network while they load")

    for place, name in (
        (socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo"),
        (socket, "create_connection"),
    ):  # fmt: skip
        setattr(place, name, refuse)
    return reached


def _plugin(folder: Path) -> Any:
    from toolkit.plugins.manifest import read_manifest
    from toolkit.plugins.states import Plugin, Source

    name = folder.name
    return Plugin(name, folder, Source.GIVEN, read_manifest(folder), module=f"limner_plugins.{name}")


def _loaded(folder: Path) -> dict[str, Any]:
    """What the plugin gives, and how long it works or waits; waiting for a busy processor isn't its own."""
    from toolkit.plugins import loading

    plugin, manager = _plugin(folder), loading.new_manager()
    worked = time.process_time()
    given = loading.load(manager, plugin)
    worked = time.process_time() - worked
    heavy = [name for name in HEAVY if name in sys.modules]
    said = {"state": plugin.state.value, "reason": plugin.reason, "provides": plugin.provides, "heavy": heavy}
    if plugin.state.value != "active":
        return said
    params = [one for several in given.values() for noun in several for one in getattr(noun, "params", (noun,))]
    said["kinds"] = loading.kinds_of(manager, plugin, given)
    said["options"] = sum(hasattr(one, "clean") for one in params)
    said["commands"] = [command.name for command in given.get("register_commands", ())]
    loading.unload(manager, plugin)
    waited = []
    for _ in range(2):
        began = time.perf_counter()
        loading.load(manager, plugin)
        waited.append(time.perf_counter() - began)
        loading.unload(manager, plugin)
    return said | {"seconds": max(worked, min(waited)), "taken": _taken(folder)}


def _taken(folder: Path) -> list[str]:
    """Sentences about nouns whose names plugins of the studio have."""
    from toolkit.plugins.lock import Lock
    from toolkit.plugins.plugins import BUNDLED, FOLDER
    from toolkit.plugins.registry import Registry

    registry, own = Registry(), _plugin(folder)
    own.manifest = replace(own.manifest, order=10_000)  # so that it is this one whose noun is left out
    bundled = Lock(BUNDLED)
    for other in sorted(FOLDER.iterdir()):
        if other.name in bundled and other.name != folder.name and other.is_dir():
            with contextlib.suppress(Exception):  # what is wrong with another plugin is no finding here
                registry.load(_plugin(other))
    registry.load(own)
    registry.look()
    return [one for one in registry.problems if f" of {own.name} " in one]


def _tabs(folder: Path) -> dict[str, Any]:
    """The tabs that were built, in an empty studio, or the sentence about the one that can't be."""
    gradio = importlib.import_module("gradio")  # the toolkit itself never needs it

    from toolkit.plugins.in_time import in_time
    from toolkit.plugins.loading import load, load_ui, new_manager
    from toolkit.plugins.plugins import Plugins
    from toolkit.plugins.states import sentence
    from toolkit.plugins.watchdog import SECONDS
    from toolkit.settings import load_settings
    from toolkit.studio import Studio

    plugin, manager, built = _plugin(folder), new_manager(), []
    load(manager, plugin)
    with tempfile.TemporaryDirectory(prefix="limner-check-", ignore_cleanup_errors=True) as data:
        plugins = Plugins.none(Path(data))
        with Studio(settings=load_settings(data=data), engine="sketch", plugins=plugins) as studio:
            try:
                for tab in in_time(SECONDS, load_ui, manager, plugin):
                    with gradio.Blocks(analytics_enabled=False):
                        in_time(SECONDS, tab.build, studio)
                    built.append(tab.name)
            except BaseException as error:  # the plugin guard: a plugin may raise anything
                return {"tabs": built, "reason": sentence(error, folder)}
    return {"tabs": built, "reason": ""}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
