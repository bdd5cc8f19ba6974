"""What is told of a single-file checkpoint: by its header, and by the files that people keep beside it.

Beside `NAME.safetensors` may stand `NAME.json` (a card, or A1111's notes), `NAME.yaml` (the original configuration,
by which Stable Diffusion 2 files say that they predict velocity), `NAME.vae.safetensors`, and a preview
`NAME.png` or `NAME.preview.png` (also .jpg, .jpeg, .webp).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from toolkit.checkpoints import MARKS, checkpoint_family, guidance_layer, scheduler_config
from toolkit.diffusers_folders import schedule_of, sound_card
from toolkit.distilled import way_of_file
from toolkit.errors import ModelError
from toolkit.families import FAMILIES
from toolkit.headers import Header
from toolkit.kinds import kind_of
from toolkit.weights import header_of, read_json, short

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_MAX_YAML = 100_000
_VELOCITY = re.compile(r"^\s*parameterization\s*:\s*[\"']?v[\"']?\s*$", re.MULTILINE)
# The 512-pixel checkpoints of Stable Diffusion 2 predict noise and say so nowhere but in their names.
_NOISE_NAMES = re.compile(r"512[-_ ]?(base|ema|inpaint|nonema|depth)|sd[-_ ]?turbo", re.IGNORECASE)
_NOISE_SIZE = [512, 512]
_SAID = {
    "title": ("modelspec.title",),
    "author": ("modelspec.author",),
    "licence": ("modelspec.license", "modelspec.licence", "license"),
    "description": ("modelspec.description",),
    "usage": ("modelspec.usage_hint",),
    "trigger": ("modelspec.trigger_phrase",),
    "architecture": ("modelspec.architecture",),
    "base": ("ss_base_model", "ss_sd_model_name", "ss_base_model_version", "modelspec.architecture"),
    "resolution": ("modelspec.resolution",),
    "prediction": ("modelspec.prediction_type", "prediction_type"),
}
_LONGEST = 2000


def said(header: Header) -> dict[str, str]:
    """What a header says in `modelspec.*` and its like, under our names; long texts are cut."""
    found = {}
    for name, keys in _SAID.items():
        text = next((header.metadata[key].strip() for key in keys if header.metadata.get(key, "").strip()), "")
        if text:
            found[name] = text[:_LONGEST]
    return found


def file_facts(path: Path) -> dict[str, Any]:
    """JSON-ready facts from a file's header alone: its kind, what it says, and for a checkpoint family and noise."""
    try:
        header = header_of(path, whole=False)
    except ModelError as error:
        return {"error": str(error)}
    facts: dict[str, Any] = {"kind": kind_of(header), "dtype": header.dtype, **said(header)}
    if facts["kind"] in ("checkpoint", None):
        try:
            facts["family"] = checkpoint_family(path, header).name
            facts["marks"] = [name for name in MARKS if header.has(name)]
            if guidance_layer(header):
                facts["marks"].append("guided")
        except ModelError as error:
            # What is no checkpoint may be something else in its place, such as an upscaler.
            facts["error" if facts["kind"] else "reason"] = str(error)
    return facts


def checkpoint_card(
    path: Path, facts: Mapping[str, Any], names: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The card and scheduler configuration of a checkpoint with `facts` from its header; raise ModelError.

    `names` are those of the files beside it.
    """
    family = FAMILIES[facts["family"]]
    file = path.with_suffix(".json")
    own = read_json(file) if file.name in names else {}
    usual = family.card
    prediction = _prediction(path, facts, own, names)
    scheduler = scheduler_config(family, facts.get("marks", ()), prediction)
    card = {**usual, **{name: facts[name] for name in ("title", "licence", "author", "description") if name in facts}}
    if family.name == "sd2" and scheduler["prediction_type"] == "epsilon":
        card["native_size"] = _NOISE_SIZE
    card |= {name: value for name, value in own.items() if name in _CARD_NAMES}
    if _size(facts.get("resolution")) and "native_size" not in own:
        card["native_size"] = _size(facts["resolution"])
    defaults = own.get("defaults") if isinstance(own.get("defaults"), dict) else {}
    way = way_of_file(path.stem, facts)
    if way is not None:
        card["few_steps"] = way.word
    few = way.defaults if way else {}
    card["defaults"] = {**usual["defaults"], **schedule_of(scheduler), **few, **defaults}
    card["family"] = family.name
    sound_card(card, short(path.with_suffix(".json")))
    return card, scheduler


# What of a NAME.json is a card's; others write their notes into the same file.
_CARD_NAMES = (
    "title", "licence", "author", "description", "native_size", "size_multiple", "latent_rgb", "examples", "vae",
)  # fmt: skip


def preview_of(path: Path, names: Collection[str]) -> Path | None:
    """The picture that people keep beside a file of weights, as A1111 finds it."""
    stem = path.stem
    wanted = (f"{stem}{middle}{end}" for end in PICTURES for middle in ("", ".preview"))
    return next((path.with_name(name) for name in wanted if name in names), None)


def vae_of(path: Path, names: Collection[str]) -> Path | None:
    """The autoencoder that stands beside a checkpoint and is used in place of its own."""
    name = f"{path.stem}.vae.safetensors"
    return path.with_name(name) if name in names else None


def _prediction(path: Path, facts: Mapping[str, Any], own: Mapping[str, Any], names: Collection[str]) -> str | None:
    """What the denoiser predicts, where something says so; None leaves it to the file's tensors and its family."""
    text = str(own.get("prediction") or facts.get("prediction") or "").lower()
    if text in ("v", "v_prediction", "v-prediction", "velocity", "v_pred"):
        return "v_prediction"
    if text in ("epsilon", "eps", "noise"):
        return "epsilon"
    file = path.with_suffix(".yaml")
    if file.name in names and file.stat().st_size <= _MAX_YAML:
        text = file.read_text(encoding="utf-8", errors="replace")
        return "v_prediction" if _VELOCITY.search(text) else "epsilon"
    named_noise = facts["family"] == "sd2" and _NOISE_NAMES.search(path.stem)
    return "epsilon" if named_noise else None


def _size(text: Any) -> list[int] | None:
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", str(text or ""))
    return [int(found[1]), int(found[2])] if found else None
