"""The models on disk: found, described by their cards, and checked before anything loads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.diffusers_folders import folder_weights, read_folder
from toolkit.errors import ModelError
from toolkit.families import FAMILIES, Family
from toolkit.weights import ShortHashes, check_weights, read_json


@dataclass(frozen=True)
class ModelFile:
    """A model the studio can draw with; `card` always has family, native_size, size_multiple and defaults.

    `id` is the folder's name, or its path when it was asked for by path. `scheduler` is the folder's own
    scheduler configuration.
    """

    id: str
    path: Path
    title: str
    family: str
    licence: str
    bytes: int
    card: Mapping[str, Any] = field(compare=False)
    scheduler: Mapping[str, Any] = field(compare=False, repr=False)
    _hash: Callable[[Path], str | None] = field(compare=False, repr=False)

    @property
    def hash(self) -> str | None:
        """First ten hex digits of the SHA-256 of the denoiser's weights; None while it is still being computed."""
        return self._hash(self.weights("unet"))

    def weights(self, component: str) -> Path:
        """The safetensors file of a component; raise ModelError when there is none."""
        return folder_weights(self.path, component)

    def config(self, component: str) -> dict[str, Any]:
        """A component's configuration, as diffusers or transformers wrote it; raise ModelError without one."""
        return read_json(self.path / component / "config.json")

    @property
    def row(self) -> Family:
        """The model's row in the table of families."""
        return FAMILIES[self.family]

    def check(self) -> None:
        """Raise ModelError naming the file when a weights file is missing, cut short or damaged."""
        for component in self.row.components:
            check_weights(self.weights(component))


class ModelIndex:
    """The diffusers folders inside `folders`, the first of two with the same name winning."""

    def __init__(self, folders: Sequence[Path | str]) -> None:
        self.folders = tuple(Path(folder) for folder in folders)
        self._hashes = ShortHashes()

    def list(self) -> list[ModelFile]:
        """Every model that can be described, by title; `problems` says why others can't."""
        return sorted(self._scan()[0].values(), key=lambda model: model.title.lower())

    def problems(self) -> list[str]:
        """A sentence for each folder that looks like a model and can't be used."""
        return self._scan()[1]

    def find(self, name: str) -> ModelFile:
        """The model with this id, or the diffusers folder at this path; raise ModelError when it can't be used."""
        for folder in self.folders:
            if _is_plain_name(name) and (folder / name / "model_index.json").is_file():
                model = self._describe(folder / name, name)
                break
        else:
            model = self._at_path(name)
        model.check()
        return model

    def _at_path(self, name: str) -> ModelFile:
        path = Path(name).expanduser()
        if not _is_plain_name(name) and path.is_dir():
            return self._describe(path.resolve(), str(path.resolve()))
        existing = ", ".join(model.id for model in self.list()) or "none yet"
        raise ModelError(f"There is no model called “{name}”. The models here: {existing}.")

    def _scan(self) -> tuple[dict[str, ModelFile], list[str]]:
        models: dict[str, ModelFile] = {}
        problems: list[str] = []
        for folder in self.folders:
            for index in sorted(folder.glob("*/model_index.json")):
                if index.parent.name in models:
                    continue
                try:
                    models[index.parent.name] = self._describe(index.parent, index.parent.name)
                except ModelError as error:
                    problems.append(str(error))
        return models, problems

    def _describe(self, path: Path, model_id: str) -> ModelFile:
        family, card, scheduler = read_folder(path)
        size = sum(file.stat().st_size for file in path.rglob("*.safetensors") if file.is_file())
        return ModelFile(
            id=model_id,
            path=path,
            title=str(card.get("title") or path.name),
            family=family.name,
            licence=str(card.get("licence") or card.get("license") or "unknown"),
            bytes=size,
            card=card,
            scheduler=scheduler,
            _hash=self._hashes.of,
        )


def _is_plain_name(name: str) -> bool:
    return bool(name) and name not in (".", "..") and not any(mark in name for mark in ("/", "\\", os.sep, "~", "\0"))
