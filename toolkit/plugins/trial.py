"""The process of a trial: `python -m toolkit.plugins.trial FOLDER MODULE TOKEN DATA` loads one plugin, builds its tabs.

Standard output gets the token when all went well, standard error one line of JSON when the plugin failed.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolkit.plugins.loading import load, load_ui, new_manager
from toolkit.plugins.states import Plugin, Source, State


def main(folder: str, module: str, token: str, data: str) -> None:
    out, errors = (os.fdopen(os.dup(number), "w", encoding="utf-8") for number in (1, 2))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what the plugin prints must not look like an answer
    studio = None
    if (Path(folder) / "ui.py").is_file():
        with contextlib.suppress(Exception):  # what takes seconds by itself must not count as the plugin's
            gradio = importlib.import_module("gradio")
            studio = _studio(data)
    print("ready", file=out, flush=True)
    plugin = Plugin(module.rpartition(".")[2], Path(folder), Source.GIVEN, module=module)
    manager = new_manager()
    load(manager, plugin)
    if plugin.state is State.ACTIVE:
        # Only whether it comes to an end is tried here: what it raises costs the plugin its tab alone, on the page.
        with contextlib.suppress(Exception):
            tabs = load_ui(manager, plugin)
            if studio is not None:
                _build(tabs, studio, gradio)
    if plugin.state is State.ACTIVE:
        print(token, file=out, flush=True)
    else:
        print(json.dumps({"reason": plugin.reason, "traceback": plugin.traceback}), file=errors, flush=True)
    os._exit(0)  # threads that the plugin may have started are not waited for


def _studio(data: str) -> Any:
    """An empty studio in a folder of its own, for tabs that ask it while they are built."""
    from toolkit.plugins.plugins import Plugins
    from toolkit.settings import load_settings
    from toolkit.studio import Studio

    return Studio(settings=load_settings(data=data), engine="sketch", plugins=Plugins.none(Path(data)))


def _build(tabs: Iterable[Any], studio: Any, gradio: Any) -> None:
    for tab in tabs:
        with contextlib.suppress(Exception), gradio.Blocks(analytics_enabled=False):
            tab.build(studio)


if __name__ == "__main__":
    main(*sys.argv[1:])
