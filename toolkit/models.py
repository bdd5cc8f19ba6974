"""The models on disk: found where they are, described by headers and cards, checked before anything loads them."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.checkpoint_cards import checkpoint_card, file_facts, preview_of, vae_of
from toolkit.diffusers_folders import read_folder
from toolkit.errors import ModelError
from toolkit.file_memory import FILE, FileMemory
from toolkit.model_files import ModelFile, WeightsFile
from toolkit.model_folders import LIST, PICKLES, Found, ModelFolders, find_at
from toolkit.plain_names import is_plain_name
from toolkit.weights import short

if TYPE_CHECKING:
    from toolkit.settings import Settings

__all__ = ["ModelFile", "ModelIndex", "WeightsFile"]

# The files that a folder's description is made of; when none has changed, neither has the description.
_DESCRIBING = ("model_index.json", "card.json", "unet/config.json", "scheduler/scheduler_config.json")
# What A1111 sets behind a model's name.
_TITLE = re.compile(r"(\.safetensors)?( \[[0-9a-f]{8,12}\])?$")
_BESIDE = (".json", ".yaml", ".vae.safetensors")


class ModelIndex:
    """The models inside `places`: folders, and lists of folders; the first of two with the same name wins.

    Each is a diffusers folder or a single file. A list's folder also keeps what is known of the files between starts.
    """

    def __init__(self, places: Sequence[Path | str]) -> None:
        self.where = ModelFolders(places)
        kept = next((place.parent / FILE for place in self.where.places if place.suffix == ".txt"), None)
        self.memory = FileMemory(kept)
        self._described: dict[tuple[str, str], tuple[Any, ModelFile | None]] = {}
        self._weights: dict[tuple[str, str], tuple[Any, WeightsFile | None]] = {}
        self._vaes: dict[str, Path] = {}
        self._named: dict[str, Path] = {}
        self._failed: dict[str, str] = {}

    @classmethod
    def of(cls, settings: Settings) -> ModelIndex:
        """The index of a studio: the settings' folders, and those that were added with `launch.py models add`."""
        return cls([*settings.models, settings.data / LIST])

    @property
    def folders(self) -> tuple[Path, ...]:
        """The places it was made of."""
        return self.where.places

    def list(self) -> list[ModelFile]:
        """Every model that can be described, by title; `problems` says why others can't."""
        return sorted(self._scan()[0].values(), key=lambda model: model.title.lower())

    def files(self, kind: str) -> list[WeightsFile]:
        """The files of another kind ("lora", "vae", "embedding", "controlnet", "upscaler"), by name.

        A file whose tensors tell another kind isn't listed, wherever it stands; pickles only among upscalers, whose
        library reads them without running code.
        """
        listed = []
        for found in self.where.files(kind, []):
            # A set of names remembers its hash, so that thousands of files in one folder are asked about quickly.
            stamp = (found.stamp, hash(found.names))
            known = self._weights.get((found.path, kind))
            if known is None or known[0] != stamp:
                known = self._weights[found.path, kind] = stamp, self._weights_file(found, kind)
            if known[1] is not None:
                listed.append(known[1])
        self.memory.save()
        return sorted(listed, key=lambda file: file.name.lower())

    def _weights_file(self, found: Found, kind: str) -> WeightsFile | None:
        pickle = found.name.lower().endswith(PICKLES)
        if found.folder or (pickle and kind != "upscaler"):
            return None
        path = Path(found.path)
        facts: Mapping[str, Any] = {"kind": None}
        if not pickle:
            facts = self.memory.facts(found.path, found.stamp, partial(file_facts, path))
        own = facts.get("kind")
        if own != kind and (own is not None or self.where.kind_at(path) != kind):
            return None
        return WeightsFile(path.stem, path, kind, found.stat.st_size, facts, preview_of(path, found.names))

    def by_hash(self, digits: str) -> ModelFile | None:
        """The model whose SHA-256 begins with `digits`, as pictures of other tools name it; of hashes known by now.

        One that lies outside of the folders and was drawn with before has its path for an id.
        """
        digits = digits.lower()
        if not re.fullmatch("[0-9a-f]{8,64}", digits):
            return None
        listed = next((model for model in self.list() if (model.known_hash or "").startswith(digits)), None)
        return listed or next(filter(None, map(self._around, self.memory.with_hash(digits))), None)

    def _around(self, weights: Path) -> ModelFile | None:
        """The model that these weights are, or are the denoiser of."""
        for path in (weights, weights.parent.parent):
            try:
                return self._at_path(str(path))
            except (ModelError, OSError):
                continue
        return None

    def problems(self) -> list[str]:
        """A sentence for each folder and file that looks like a model and can't be used."""
        return self._scan()[1]

    def find(self, name: str) -> ModelFile:
        """The model with this id, or the folder or file at this path; raise ModelError when it can't be used.

        A file may be named with its ending and with its hash behind, as A1111 writes "NAME.safetensors [0123456789]".
        """
        model = self._known(name) or self._searched(name)
        model.check()
        return model

    def _known(self, name: str) -> ModelFile | None:
        """A model of the latest scan that is still where it was."""
        path = self._named.get(name)
        try:
            return None if path is None else self._describe(find_at(path), name)
        except OSError:
            return None

    def _searched(self, name: str) -> ModelFile:
        if not is_plain_name(name):
            return self._at_path(name)
        models, _ = self._scan()
        plain = _TITLE.sub("", name)
        if name in models or plain in models:
            return models.get(name) or models[plain]
        if name in self._failed:
            raise ModelError(self._failed[name])
        existing = ", ".join(models) or "none yet"
        raise ModelError(f"There is no model called “{name}”. The models here: {existing}.")

    def _at_path(self, name: str) -> ModelFile:
        path = Path(name).expanduser() if "\0" not in name else Path()
        if not name or not path.exists() or name in (".", ".."):
            existing = ", ".join(model.id for model in self.list()) or "none yet"
            raise ModelError(f"There is no model called “{name}”. The models here: {existing}.")
        path = path.resolve()
        self._vaes = self._vae_files()
        return self._describe(find_at(path)._replace(listed=False), str(path))

    def _scan(self) -> tuple[dict[str, ModelFile], list[str]]:
        models: dict[str, ModelFile] = {}
        problems = self.where.missing()
        failed: dict[str, str] = {}
        self._vaes = self._vae_files()
        for found in self.where.files("checkpoint", problems):
            name = _free_name(found, models)
            if name is None:
                continue
            try:
                model = self._describe(found, name)
            except ModelError as error:
                problems.append(str(error))
                failed.setdefault(name, str(error))
            else:
                if model is not None:
                    models[name] = model
        self._named, self._failed = {name: model.path for name, model in models.items()}, failed
        self.memory.save()
        return models, problems

    def _describe(self, found: Found, model_id: str) -> ModelFile | None:
        """A model with its description made anew only when a file has changed; None for weights of another kind."""
        stamp = (_stamp(found), None if found.folder else hash(tuple(self._vaes.items())))
        known = self._described.get((found.path, model_id))
        if known is None or known[0] != stamp:
            model = self._folder(found, model_id) if found.folder else self._file(found, model_id)
            known = self._described[found.path, model_id] = stamp, model
        return known[1]

    def _folder(self, found: Found, model_id: str) -> ModelFile:
        path = Path(found.path)
        family, card, scheduler = read_folder(path)
        return ModelFile(
            id=model_id,
            path=path,
            title=str(card.get("title") or path.name),
            family=family.name,
            licence=str(card.get("licence") or card.get("license") or "unknown"),
            bytes=sum(file.stat().st_size for file in path.rglob("*.safetensors") if file.is_file()),
            card=card,
            scheduler=scheduler,
            _memory=self.memory,
        )

    def _file(self, found: Found, model_id: str) -> ModelFile | None:
        path = Path(found.path)
        if found.name.lower().endswith(PICKLES):
            raise ModelError(
                f"{short(path)} is of a kind that can carry code, so it is never opened: "
                "get the model as .safetensors, or convert it on a machine that you can lose."
            )
        facts = self.memory.facts(found.path, found.stamp, partial(file_facts, path))
        if "error" in facts:
            raise ModelError(facts["error"])
        if "family" not in facts:
            if found.listed and (facts["kind"] or self.where.kind_at(path) != "checkpoint"):
                return None
            raise ModelError(facts.get("reason") or f"{short(path)} is no checkpoint but a {facts['kind']}.")
        card, scheduler = checkpoint_card(path, facts, found.names)
        return ModelFile(
            id=model_id,
            path=path,
            title=str(card.get("title") or path.stem),
            family=facts["family"],
            licence=str(card.get("licence") or "unknown"),
            bytes=found.stat.st_size,
            card=card,
            scheduler=scheduler,
            _memory=self.memory,
            preview=preview_of(path, found.names),
            vae=vae_of(path, found.names) or self._vae_from_folders(path, card),
        )

    def _vae_files(self) -> dict[str, Path]:
        return {file.name.lower(): file.path for file in self.files("vae")}

    def _vae_from_folders(self, path: Path, card: Mapping[str, Any]) -> Path | None:
        """The autoencoder that a checkpoint's card names, or that has the checkpoint's name in the folder of VAEs."""
        named = card.get("vae")
        if named is not None:
            wanted = str(named).lower().removesuffix(".safetensors")
            if wanted not in self._vaes:
                raise ModelError(
                    f"{short(path.with_suffix('.json'))} names the autoencoder “{str(named)[:60]}”, which is not here: "
                    "put its .safetensors file into models/vae, or take the name out."
                )
            return self._vaes[wanted]
        return next((self._vaes[name] for end in (".vae", "") if (name := f"{path.stem.lower()}{end}") in self._vaes),
                    None)  # fmt: skip


def _free_name(found: Found, taken: Container[str]) -> str | None:
    """The id of a model: its folder's name, or its file's without the ending, told apart by the folder it is in."""
    if found.folder:
        return None if found.name in taken else found.name
    path = Path(found.path)
    lower = found.name.lower()
    if lower.endswith((".vae.safetensors", ".vae.pt")) or (lower.endswith(PICKLES) and not lower.endswith(".ckpt")):
        return None
    names = (path.stem, f"{path.stem} ({path.parent.name})")
    return next((name for name in names if name not in taken), None)


def _stamp(found: Found) -> tuple[Any, ...]:
    """What changes when anything that describes a model does."""
    if found.folder:
        beside = [os.path.join(found.path, name) for name in _DESCRIBING]
    else:
        stem = os.path.splitext(found.name)[0]
        kept = [f"{stem}{end}" for end in _BESIDE if f"{stem}{end}" in found.names]
        beside = [os.path.join(os.path.dirname(found.path), name) for name in kept]
    return (found.stamp, *map(_stat, beside))


def _stat(path: str) -> tuple[str, int, int]:
    try:
        stat = os.stat(path)
    except OSError:
        return path, 0, 0
    return path, stat.st_mtime_ns, stat.st_size
