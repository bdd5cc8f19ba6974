"""The tensors of a single-file checkpoint under the names that diffusers' and transformers' classes know them by.

The names are translated by diffusers' own functions. Only the component that is asked for is read from the file.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors import safe_open
from transformers import CLIPTokenizer

from toolkit.checkpoints import UNET, guidance_layer, vae_prefix
from toolkit.clip_words import END, START, WINDOW, read_merges, vocabulary
from toolkit.families import TextEncoder
from toolkit.model_files import ModelFile
from toolkit.weights import header_of

Tensors = dict[str, torch.Tensor]


def unet_tensors(model: ModelFile, config: dict[str, Any]) -> Tensors:
    tensors = _begin_with(model, "unet", UNET)
    guided = tensors.pop(guidance_layer(header_of(model.weights("unet"))) or "", None)
    converted = convert_ldm_unet_checkpoint(tensors, config)
    return converted if guided is None else {**converted, "time_embedding.cond_proj.weight": guided}


def vae_tensors(model: ModelFile, config: dict[str, Any]) -> Tensors:
    prefix = vae_prefix(header_of(model.weights("vae"))) or ""
    tensors = _begin_with(model, "vae", prefix)
    plain = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    native = any(name.startswith("encoder.down_blocks.") for name in plain)
    # Autoencoders that are kept in a file of their own may have diffusers' names already.
    return plain if native else convert_ldm_vae_checkpoint(plain, config)


def text_tensors(model: ModelFile, part: TextEncoder, encoder: Any) -> Tensors:
    tensors = _begin_with(model, part.component, part.prefix)
    if part.open_clip:
        return convert_open_clip_checkpoint(encoder, tensors, prefix=part.prefix)
    return convert_ldm_clip_checkpoint(tensors)


def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's tokenizer from the vocabulary that comes with Limner."""
    merges = read_merges()
    return CLIPTokenizer(
        vocab=vocabulary(merges), merges=merges, model_max_length=WINDOW, bos_token=START, eos_token=END, pad_token=END
    )


def _begin_with(model: ModelFile, component: str, prefix: str) -> Tensors:
    with safe_open(model.weights(component), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if name.startswith(prefix)}  # noqa: SIM118
