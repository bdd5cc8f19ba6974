"""ControlNets on disk, and the one that a control unit means. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.adapters import ControlUse
from toolkit.errors import ModelError, RequestError
from toolkit.weights import header_of, read_json, short

if TYPE_CHECKING:
    from toolkit.model_files import ModelFile
    from toolkit.models import ModelIndex
    from toolkit.plugins.descriptors import Control

_CLASS = "ControlNetModel"
_IN_A_FOLDER = "diffusion_pytorch_model"
# The width of the text that a ControlNet listens to, by its layer's name in diffusers' files and in the original ones.
_TEXT_LAYER = re.compile(r"(down_blocks|input_blocks)\..*attn2\.to_k\.weight$")


@dataclass(frozen=True)
class ControlFile:
    """A ControlNet: a safetensors file, alone in the original layout, or in a folder with its configuration."""

    name: str
    path: Path
    in_folder: bool

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The configuration beside it, None for a file alone; raise ModelError for one that can't be used."""
        if not self.in_folder:
            return None
        config = read_json(self.path.with_name("config.json"))
        if config.get("_class_name", _CLASS) != _CLASS:
            raise ModelError(f"{short(self.path.parent)} is a {config['_class_name']}, but must be a {_CLASS}.")
        return config

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The sampler, steps and guidance that its card says it was made for."""
        card = self.path.with_name("card.json")
        given = read_json(card).get("defaults") if self.in_folder and card.is_file() else None
        return given if isinstance(given, dict) else {}

    def fits(self, model: ModelFile) -> bool:
        """Whether it was made for models of this shape; raise ModelError for a damaged file."""
        unet, config, header = model.config("unet"), self.config, header_of(self.path)
        if config is not None:
            same = ("cross_attention_dim", "block_out_channels")
            return all(_plain(config.get(key)) == _plain(unet.get(key)) for key in same)
        width = next((shape[-1] for name, shape in header.shapes.items() if _TEXT_LAYER.search(name)), None)
        return width == unet.get("cross_attention_dim")


def control_files(models: ModelIndex) -> list[ControlFile]:
    """Every ControlNet in the models' folders, by name; a folder in diffusers' layout under the folder's name."""
    found = []
    for file in models.files("controlnet"):
        beside = file.path.with_name("config.json")
        in_folder = file.name.startswith(_IN_A_FOLDER) and beside.is_file()
        name = file.path.parent.name if file.name.startswith(_IN_A_FOLDER) else file.name
        found.append(ControlFile(name, file.path, in_folder))
    return sorted(found, key=lambda one: one.name.lower())


def resolved(
    uses: Sequence[ControlUse], model: ModelFile, models: ModelIndex, kinds: Mapping[str, Control]
) -> tuple[ControlUse, ...]:
    """The units with the ControlNets' own names and concrete preprocessors; raise RequestError for what isn't here.

    A unit's `kind` is a kind that a plugin gives ("lines") or the name of a ControlNet; a preprocessor "auto" is the
    usual one of its kind.
    """
    found = []
    for number, use in enumerate(uses):
        file, kind = _find(use.kind, model, models, kinds, f"controls.{number}.kind")
        usual = kind.preprocessor if kind else "none"
        preprocessor = usual if use.preprocessor == "auto" else use.preprocessor
        found.append(replace(use, kind=file.name, preprocessor=preprocessor))
    return tuple(found)


def find_control(name: str, models: ModelIndex) -> ControlFile:
    """The ControlNet of exactly this name; raise ModelError when it has gone."""
    for file in control_files(models):
        if file.name == name:
            return file
    raise ModelError(f"The ControlNet “{name}” is not here any more.")


def _find(
    name: str, model: ModelFile, models: ModelIndex, kinds: Mapping[str, Control], field: str
) -> tuple[ControlFile, Control | None]:
    files = control_files(models)
    exact = next((file for file in files if file.name.lower() == name.lower()), None)
    kind = kinds.get(name.lower()) or (exact and _kind_of(exact, kinds))
    if exact is not None:
        if not _fits(exact, model, field):
            sentence = f"The ControlNet {exact.name} is made for another family than {model.title}"
            raise RequestError(field, f"{sentence}: choose one for {model.row.title}.")
        return exact, kind
    if kind is None:
        there = ", ".join([*kinds, *(file.name for file in files)]) or "none: no plugin that has any is active"
        raise RequestError(field, f"There is no control called “{name[:60]}”; there are {there}.")
    damaged: RequestError | None = None
    for file in files:
        try:
            if _means(file, kind) and _fits(file, model, field):
                return file, kind
        except RequestError as error:  # another one for this kind may be whole
            damaged = error
    raise damaged or RequestError(
        field,
        f"There is no ControlNet for {kind.label.lower()} that fits {model.title}: "
        f"put one with “{kind.words[0]}” in its name into models/controlnet.",
    )


def _fits(file: ControlFile, model: ModelFile, field: str) -> bool:
    try:
        return file.fits(model)
    except ModelError as error:
        raise RequestError(field, str(error)) from error


def _kind_of(file: ControlFile, kinds: Mapping[str, Control]) -> Control | None:
    return next((kind for kind in kinds.values() if _means(file, kind)), None)


def _means(file: ControlFile, kind: Control) -> bool:
    words = set(re.split(r"[^a-z0-9]+", file.name.lower()))
    return any(word in words or (len(word) > 4 and word in file.name.lower()) for word in kind.words)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value
