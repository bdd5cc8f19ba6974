"""The names under which trainers write a layer's adapter, and the module of a loaded model that each one means.

Three vocabularies: kohya's `lora_unet_down_blocks_0_…_to_q.lora_down.weight`, peft's `unet.down_blocks.0.….to_q.lora_A.
weight` and diffusers' older `unet.….to_q.lora.down.weight`; the first also with the blocks numbered as in the first
implementation (`lora_unet_input_blocks_4_1_…`). LyCORIS adds parts of its own to kohya's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import torch

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
# What the layers of the denoiser are called in its first implementation.
_WHOLE: Mapping[str, str] = {
    "conv_in": "input_blocks.0.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
_RESNET: Mapping[str, str] = {
    "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}  # fmt: skip
_PLACE = re.compile(r"(down_blocks|mid_block|up_blocks)(?:\.(\d+))?\.(\w+)\.(\d+)\.(.+)")
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
    paths = _layers(components.unet)
    attended = {int(path.split(".")[1]) for path in paths if path.startswith("up_blocks.") and ".attentions." in path}
    for path in paths:
        place = ("unet", path)
        named[f"unet.{path}"] = named["lora_unet_" + path.replace(".", "_")] = place
        named[f"base_model.model.{path}"] = place
        original = original_path(path, components.unet.config.layers_per_block, attended)
        if original is not None:
            named["lora_unet_" + original.replace(".", "_")] = named[f"diffusion_model.{original}"] = place
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


def original_path(path: str, per_level: int, attended: Collection[int]) -> str | None:
    """What the first implementation calls a layer of the denoiser; SDXL's trainers use its numbering of blocks.

    `per_level` are the resnets of a level on the way down, `attended` the levels of the way up that have attention.
    """
    if path in _WHOLE:
        return _WHOLE[path]
    found = _PLACE.fullmatch(path)
    if found is None:
        return None
    way, level, kind, number, rest = found.groups()
    first, inner = int(kind == "attentions"), _RESNET.get(rest, rest)
    if way == "mid_block":
        return f"middle_block.{1 if first else 2 * int(number)}.{inner}"
    step = (per_level + 1) * int(level)
    if kind == "downsamplers":
        return f"input_blocks.{step + per_level + 1}.0.op"
    if kind == "upsamplers":
        return f"output_blocks.{step + per_level}.{2 if int(level) in attended else 1}.conv"
    if way == "down_blocks":
        return f"input_blocks.{step + 1 + int(number)}.{first}.{inner}"
    return f"output_blocks.{step + int(number)}.{first}.{inner}"


def is_for_text(name: str) -> bool:
    """Whether a layer's name speaks of a text encoder."""
    return bool(_KOHYA_TEXT.match(name)) or name.startswith("text_encoder")


def _layers(module: torch.nn.Module) -> list[str]:
    return [name for name, one in module.named_modules() if isinstance(one, (torch.nn.Linear, torch.nn.Conv2d))]


def _modern(found: re.Match[str]) -> str:
    projection = "to_out.0" if found[1] == "to_out" else found[1]
    return f".{projection}.lora.{found[2]}.weight"
