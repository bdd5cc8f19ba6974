"""Which models the engines of a data folder have in memory, told across processes by small files that may be stale."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from toolkit.model_folders import LIST, ModelFolders

_FOLDER = "engines"


def folder_beside(folders: ModelFolders) -> Path | None:
    """Where the engines of a studio tell it: in its data folder, which its list of model folders lies in."""
    return next((place.parent / _FOLDER for place in folders.places if place.name == LIST), None)


def tell_loaded(folder: Path | None, models: Sequence[dict[str, Any]]) -> None:
    """Say what this process has in memory; nothing takes the word back, and a full disk is no reason to stop."""
    if folder is None:
        return
    path = folder / f"{os.getpid()}.json"
    try:
        if not models:
            path.unlink(missing_ok=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        plain = {"started": psutil.Process().create_time(), "models": list(models)}
        part = path.with_suffix(".part")
        part.write_text(json.dumps(plain), encoding="utf-8")
        os.replace(part, path)
    except OSError:
        return


def read_loaded(folder: Path | None) -> dict[str, bool]:
    """The paths of models in the memory of engines that are alive; True for those ready on the device."""
    loaded: dict[str, bool] = {}
    for path in folder.glob("*.json") if folder is not None else ():
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            alive = abs(psutil.Process(int(path.stem)).create_time() - told["started"]) < 1
            models = told["models"] if alive else []
            if not alive:
                path.unlink(missing_ok=True)
        except psutil.Error:
            path.unlink(missing_ok=True)
            continue
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for model in models:
            loaded[str(model["path"])] = loaded.get(str(model["path"]), False) or bool(model["warm"])
    return loaded
