"""What models a LoRA was made for, told by its tensors and by what its maker wrote. Imports no torch.

A layer that reads the text has the width of the family's text embeddings, which no trainer can change. Where a LoRA has
no such layer, the maker's words have to do. The engine looks at every layer once it loads the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.adapters import LoraUse
from toolkit.errors import ModelError, RequestError
from toolkit.families import FAMILIES
from toolkit.headers import Header
from toolkit.kinds import other_family
from toolkit.loras import find_lora
from toolkit.weights import header_of, short

if TYPE_CHECKING:
    from toolkit.model_files import ModelFile, WeightsFile
    from toolkit.models import ModelIndex

_TEXT_LAYER = re.compile(
    r"attn2[._](processor\.)?to_[kv](_lora)?\.(lora_down\.|lora_A\.|lora\.down\.|lora_linear_layer\.down\.|down\.)"
    r"|attn2[._]to_[kv]\.hada_w1_b$"
)
_WIDTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}
# How trainers name the families that LoRAs are made for.
_BASES: Mapping[str, tuple[str, ...]] = {
    "sd1": ("stable-diffusion-v1", "sd_v1", "sd1", "sd15", "sd-v1"),
    "sd2": ("stable-diffusion-v2", "sd_v2", "sd2"),
    "sdxl": ("stable-diffusion-xl", "sdxl"),
}
# Layers that only LoRAs for other kinds of denoisers have, as trainers write them.
_OTHERS: Mapping[str, str] = {
    "double_blocks_0_img": "Flux", "transformer.single_transformer_blocks.": "Flux",
    "joint_blocks_0_": "Stable Diffusion 3",
    "transformer.transformer_blocks.": "Flux or Stable Diffusion 3", "lora_prior_unet_": "Stable Cascade",
    "blocks.0.cross_attn.": "Wan", "blocks_0_cross_attn_": "Wan",
}  # fmt: skip


def told_base(file: WeightsFile, by_name: bool = False) -> str | None:
    """The family that a LoRA's maker names; with `by_name` that of the file's name where nothing else is written."""
    told = " ".join(str(file.facts.get(key, "")) for key in ("base", "architecture")).lower()
    words = told if told.strip() or not by_name else file.name.lower()
    return next((base for base, marks in reversed(_BASES.items()) if any(mark in words for mark in marks)), None)


def check_bases(uses: Sequence[LoraUse], model: ModelFile, models: ModelIndex) -> None:
    """Raise RequestError naming the first LoRA's file that is damaged or made for other models than this one."""
    for number, use in enumerate(uses):
        file = find_lora(use.name, models)
        try:
            made_for = _stranger(file, _seen(header_of(file.path)), model, _width_of(model))
        except ModelError as error:
            raise RequestError(f"loras.{number}.name", str(error)) from error
        if made_for:
            raise RequestError(
                f"loras.{number}.name",
                f"{short(file.path)} is made for {made_for}, and {model.title} is {model.row.title}: "
                f"choose a LoRA for {model.row.title}, or a model for this one.",
            )


def misfits(models: ModelIndex) -> Callable[[WeightsFile, ModelFile], str]:
    """What tells of a LoRA and a model what the LoRA was made for instead, "" when it fits, and of a damaged file so.

    For all pairs at once: what tensors tell is kept beside the other facts of files, models are looked at once.
    """
    widths: dict[str, int | None] = {}

    def misfit(file: WeightsFile, model: ModelFile) -> str:
        if "error" in file.facts:
            return "no model: the file is damaged"
        if model.id not in widths:
            try:
                widths[model.id] = _width_of(model)
            except ModelError:  # a checkpoint that lacks tensors is listed, and nothing fits it
                widths[model.id] = None
        stat = file.path.stat()
        seen = models.memory.facts(f"{file.path}|reads", (stat.st_mtime_ns, stat.st_size), lambda: _seen_in(file))
        return str(seen.get("error") or _stranger(file, seen, model, widths[model.id]) or "")

    return misfit


def _width_of(model: ModelFile) -> int | None:
    return model.config("unet").get("cross_attention_dim")


def _seen_in(file: WeightsFile) -> Mapping[str, Any]:
    try:
        return _seen(header_of(file.path))
    except ModelError:
        return {"error": "no model: the file is damaged"}


def _seen(header: Header) -> Mapping[str, Any]:
    """The family of another studio's models that the tensors tell, and the width of the text that they read."""
    other = other_family(header) or next((title for mark, title in _OTHERS.items() if header.mentions(mark)), None)
    return {"other": other, "width": _text_width(header)}


def _stranger(file: WeightsFile, seen: Mapping[str, Any], model: ModelFile, own: int | None) -> str | None:
    """What a LoRA was made for, when that is seen to be something else than the model's family."""
    if seen["other"]:
        return seen["other"]
    width = seen["width"]
    if width is not None:
        base = _WIDTHS.get(width)
        return None if width == own else _with_width(base and FAMILIES[base].title, width, own, model)
    told = told_base(file)
    return FAMILIES[told].title if told is not None and told != model.row.base.removesuffix("-refiner") else None


def _with_width(title: str | None, width: int, own: int, model: ModelFile) -> str:
    if title is None or title == model.row.title:
        return f"models that read text of width {width} (this one reads {own})"
    return title


def _text_width(header: Header) -> int | None:
    return next((shape[-1] for name, shape in header.shapes.items() if _is_text_layer(name, shape)), None)


def _is_text_layer(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and _TEXT_LAYER.search(name) is not None
