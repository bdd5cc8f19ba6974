"""The names under which trainers write a layer's adapter, and the module of a loaded model that each one means.

Three vocabularies: kohya's `lora_unet_down_blocks_0_…_to_q.lora_down.weight`, peft's `unet.down_blocks.0.….to_q.lora_A.
weight` and diffusers' older `unet.….to_q.lora.down.weight`. LyCORIS adds parts of its own to kohya's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from diffusers.loaders.lora_conversion_utils import _maybe_map_sgm_blocks_to_diffusers

# What stands behind a layer's name, and what it is called here.
PARTS: Mapping[str, str] = {
    "lora_down.weight": "down", "lora_A.weight": "down", "lora.down.weight": "down", "lora_A.default.weight": "down",
    "lora_up.weight": "up", "lora_B.weight": "up", "lora.up.weight": "up", "lora_B.default.weight": "up",
    "lora_linear_layer.down.weight": "down", "lora_linear_layer.up.weight": "up",
    "lora_mid.weight": "mid", "alpha": "alpha", "dora_scale": "dora", "lora_magnitude_vector": "dora",
    "lora_magnitude_vector.weight": "dora", "lora_magnitude_vector.default.weight": "dora",
    **{name: name for name in (
        "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2",
        "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
    )},
}  # fmt: skip
_OLD_ATTENTION = re.compile(r"\.processor\.(to_[qkv]|to_out)_lora\.(down|up)\.weight$")
_KOHYA_TEXT = re.compile(r"lora_te[12]?_")

Place = tuple[str, str]


def grouped(tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, dict[str, torch.Tensor]], list[str]]:
    """Tensors by layer name, then by part; and the names that belong to no known kind of adapter."""
    layers: dict[str, dict[str, torch.Tensor]] = {}
    strange = []
    for written, tensor in tensors.items():
        name = _OLD_ATTENTION.sub(_modern, written)
        part = next((part for part in PARTS if name.endswith("." + part)), None)
        if part is None:
            strange.append(name)
        else:
            layers.setdefault(name.removesuffix("." + part), {})[PARTS[part]] = tensor
    return layers, strange


def modules_by_name(components: Any) -> dict[str, Place]:
    """Every name that a layer of the denoiser and of the text encoders has in any vocabulary → (component, module)."""
    named: dict[str, Place] = {}
    for path in _layers(components.unet):
        named[f"unet.{path}"] = named["lora_unet_" + path.replace(".", "_")] = ("unet", path)
        named[f"base_model.model.{path}"] = ("unet", path)
    encoders = [reader.encoder for reader in components.text.readers]
    for number, encoder in enumerate(encoders):
        for path in _layers(encoder):
            plain = path.removeprefix("text_model.")
            place = (f"text_encoder{'' if number == 0 else f'_{number + 1}'}", path)
            kohya = "text_model_" + plain.replace(".", "_")
            prefixes = [f"lora_te{number + 1}_"] + (["lora_te_"] if number == 0 else [])
            named |= {prefix + kohya: place for prefix in prefixes}
            named |= {f"{place[0]}.{written}": place for written in (f"text_model.{plain}", plain)}
    return named


def renamed(names: Iterable[str], unet_config: Any) -> dict[str, str]:
    """Layer names as they are → as diffusers numbers blocks; SDXL trainers use the numbering of the original code."""
    names = list(names)
    if not any("input_blocks" in name or "output_blocks" in name for name in names):
        return {name: name for name in names}
    found = {}
    for name in names:
        if not name.startswith("lora_unet_") or not re.search(r"(input|output|middle)_block", name):
            found[name] = name
            continue
        # diffusers maps whole files at once; one layer at a time tells which new name belongs to which.
        mapped = _maybe_map_sgm_blocks_to_diffusers({name + ".alpha": torch.zeros(1)}, unet_config)
        found[name] = next(iter(mapped)).removesuffix(".alpha")
    return found


def is_for_text(name: str) -> bool:
    """Whether a layer's name speaks of a text encoder."""
    return bool(_KOHYA_TEXT.match(name)) or name.startswith("text_encoder")


def _layers(module: torch.nn.Module) -> list[str]:
    return [name for name, one in module.named_modules() if isinstance(one, (torch.nn.Linear, torch.nn.Conv2d))]


def _modern(found: re.Match[str]) -> str:
    projection = "to_out.0" if found[1] == "to_out" else found[1]
    return f".{projection}.lora.{found[2]}.weight"
