"""Models as folders in diffusers' layout: held to the classes this studio loads, and described by their cards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.distilled import way_of_file
from toolkit.errors import ModelError
from toolkit.families import PIPELINES, Family, family_of
from toolkit.weights import read_json, short

# The classes a folder may name, by component. Nothing else is ever imported because a file says so.
_CLASSES = {
    "unet": {"UNet2DConditionModel"},
    "vae": {"AutoencoderKL", "AutoencoderTiny"},
    "text_encoder": {"CLIPTextModel"},
    "text_encoder_2": {"CLIPTextModelWithProjection"},
    "tokenizer": {"CLIPTokenizer", "CLIPTokenizerFast"},
    "tokenizer_2": {"CLIPTokenizer", "CLIPTokenizerFast"},
}
_LIBRARIES = {"diffusers", "transformers"}
_STEMS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}


def read_folder(path: Path) -> tuple[Family, dict[str, Any], dict[str, Any]]:
    """The family, card and scheduler configuration of a folder; raise ModelError when it can't be used."""
    index = _checked_index(path)
    encoders = [name for name in ("text_encoder", "text_encoder_2") if _named(index, name)]
    unet = read_json(path / "unet" / "config.json")
    family = family_of(unet, len(encoders))
    wanted = {name for name in _CLASSES if name in ("unet", "vae")}
    wanted |= {name for encoder in family.text_encoders for name in (encoder.component, encoder.tokenizer)}
    for name, classes in _CLASSES.items():
        entry = index.get(name)
        if name in wanted and not (isinstance(entry, list) and len(entry) == 2 and entry[1] in classes):
            fitting = ", ".join(sorted(classes))
            raise ModelError(f"{short(path)}/model_index.json names {entry!r} as its {name}; it must be {fitting}.")
    scheduler = _optional_json(path / "scheduler" / "scheduler_config.json")
    return family, _card(path, family, scheduler, bool(unet.get("time_cond_proj_dim"))), scheduler


def folder_weights(path: Path, component: str) -> Path:
    """The safetensors file of a component; raise ModelError when there is none."""
    folder, stem = path / component, _STEMS.get(component, "model")
    for name in (f"{stem}.safetensors", f"{stem}.fp16.safetensors"):
        if (folder / name).is_file():
            return folder / name
    if any(folder.glob("*.bin")):
        raise ModelError(f"{short(folder)} has only .bin weights, which can carry code; make them safetensors.")
    raise ModelError(f"{short(folder / stem)}.safetensors is missing. Copy the whole model folder again.")


def _checked_index(path: Path) -> dict[str, Any]:
    """Hold a folder to known libraries and pipelines, so that a model can't choose what is imported."""
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
    if index.get("_class_name") not in PIPELINES:
        kind, titles = index.get("_class_name"), "Stable Diffusion 1, 2 and SDXL"
        raise ModelError(f"{path.name} is made for {kind}; this studio draws with {titles}.")
    if not _named(index, "unet"):
        raise ModelError(f"{short(file)} names {index.get('unet')!r} as its unet; it must be UNet2DConditionModel.")
    return index


def _named(index: Mapping[str, Any], name: str) -> bool:
    entry = index.get(name)
    return isinstance(entry, list) and len(entry) == 2 and entry[1] in _CLASSES[name]


def _card(path: Path, family: Family, scheduler: Mapping[str, Any], guided: bool) -> dict[str, Any]:
    """The folder's card over the defaults of its family; `guided` says that the denoiser is told the guidance."""
    own = _optional_json(path / "card.json")
    usual = family.card
    defaults = own.get("defaults") if isinstance(own.get("defaults"), dict) else {}
    card = {**usual, **own, "family": family.name}
    way = way_of_file(path.name, {**own, "marks": ["guided"] if guided else []})
    if way is not None:
        card["few_steps"] = way.word
    few = way.defaults if way else {}
    card["defaults"] = {**usual["defaults"], **schedule_of(scheduler), **few, **defaults}
    sound_card(card, f"{path.name}/card.json")
    return card


def sound_card(card: Mapping[str, Any], file: str) -> None:
    """Raise ModelError, naming the file, for a card with an impossible size."""
    for name in ("native_size", "size_multiple"):
        if not _sound(card[name]):
            raise ModelError(f"{file} has {name} {card[name]!r}; it must be positive whole numbers.")


def schedule_of(scheduler: Mapping[str, Any]) -> dict[str, str]:
    """A model trained down to (almost) no signal has huge first noise levels, where Karras' spacing wastes steps."""
    special = scheduler.get("trained_betas") or scheduler.get("rescale_betas_zero_snr")
    return {"schedule": "normal"} if special else {}


def _sound(value: Any) -> bool:
    values = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(type(item) is int and 0 < item <= 8192 for item in values)


def _optional_json(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
