"""The models on disk: found, described by their cards, and checked before anything loads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.errors import ModelError
from toolkit.weights import ShortHashes, check_weights, read_json, short

# What a Stable Diffusion 1 model wants when its folder has no card.
SD1_CARD: Mapping[str, Any] = {
    "family": "sd1",
    "native_size": [512, 512],
    "size_multiple": 8,
    "defaults": {"sampler": "dpmpp_2m", "steps": 20, "guidance": 7.5},
}

# The classes a folder may name, by component. Nothing else is ever imported because a file says so.
_CLASSES = {
    "unet": {"UNet2DConditionModel"},
    "vae": {"AutoencoderKL", "AutoencoderTiny"},
    "text_encoder": {"CLIPTextModel"},
    "tokenizer": {"CLIPTokenizer", "CLIPTokenizerFast"},
}
_LIBRARIES = {"diffusers", "transformers"}
_WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}


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
        folder, stem = self.path / component, _WEIGHTS[component]
        for name in (f"{stem}.safetensors", f"{stem}.fp16.safetensors"):
            if (folder / name).is_file():
                return folder / name
        if any(folder.glob("*.bin")):
            raise ModelError(f"{short(folder)} has only .bin weights, which can carry code; make them safetensors.")
        raise ModelError(f"{short(folder / stem)}.safetensors is missing. Copy the whole model folder again.")

    def check(self) -> None:
        """Raise ModelError naming the file when a weights file is missing, cut short or damaged."""
        for component in _WEIGHTS:
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
        _check_index(path)
        card = _card(path)
        size = sum(file.stat().st_size for file in path.rglob("*.safetensors") if file.is_file())
        return ModelFile(
            id=model_id,
            path=path,
            title=str(card.get("title") or path.name),
            family=card["family"],
            licence=str(card.get("licence") or card.get("license") or "unknown"),
            bytes=size,
            card=card,
            scheduler=_optional_json(path / "scheduler" / "scheduler_config.json"),
            _hash=self._hashes.of,
        )


def _is_plain_name(name: str) -> bool:
    return bool(name) and name not in (".", "..") and not any(mark in name for mark in ("/", "\\", os.sep, "~", "\0"))


def _check_index(path: Path) -> None:
    """Hold a folder to the classes this studio loads, so that a model can't choose what is imported."""
    file = path / "model_index.json"
    if not file.is_file():
        raise ModelError(f"{path.name} is not a diffusers model: it has no model_index.json.")
    index = read_json(file)
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list) or value in ([None, None], [None]):
            continue
        allowed = _LIBRARIES | ({"stable_diffusion"} if name == "safety_checker" else set())
        if len(value) != 2 or value[0] not in allowed:
            raise ModelError(f"{short(file)} takes its {name} from {value[0]!r}, not diffusers or transformers.")
    if index.get("_class_name") != "StableDiffusionPipeline":
        kind = index.get("_class_name")
        raise ModelError(f"{path.name} is made for {kind}; this studio draws with Stable Diffusion 1.")
    for name, classes in _CLASSES.items():
        entry = index.get(name)
        if not isinstance(entry, list) or len(entry) != 2 or entry[1] not in classes:
            fitting = ", ".join(sorted(classes))
            raise ModelError(f"{short(file)} names {entry!r} as its {name}; it must be one of {fitting}.")


def _card(path: Path) -> dict[str, Any]:
    """The folder's card over the defaults of its family."""
    own = _optional_json(path / "card.json")
    unet = read_json(path / "unet" / "config.json")
    if unet.get("addition_embed_type"):
        raise ModelError(f"{path.name} is larger than Stable Diffusion 1 in kind; this studio can't draw with it yet.")
    family = "sd2" if unet.get("cross_attention_dim") == 1024 else "sd1"
    card = {**SD1_CARD, "family": family, **own}
    defaults = own.get("defaults") if isinstance(own.get("defaults"), dict) else {}
    card["defaults"] = {**SD1_CARD["defaults"], **_schedule_of(path), **defaults}
    for name in ("native_size", "size_multiple"):
        if not _sound(card[name]):
            raise ModelError(f"{path.name}/card.json has {name} {card[name]!r}; it must be positive whole numbers.")
    return card


def _schedule_of(path: Path) -> dict[str, str]:
    """A model trained down to (almost) no signal has huge first noise levels, where Karras' spacing wastes steps."""
    config = _optional_json(path / "scheduler" / "scheduler_config.json")
    special = config.get("trained_betas") or config.get("rescale_betas_zero_snr")
    return {"schedule": "normal"} if special else {}


def _sound(value: Any) -> bool:
    values = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(type(item) is int and 0 < item <= 8192 for item in values)


def _optional_json(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
