"""A model's components from its files, loaded without disturbing a job that draws meanwhile.

`from_pretrained` changes torch's default dtype and patches parameter creation for the whole process while it runs, so
that tensors made by other threads come out wrong. Here a module is built on the meta device, which is a matter of one
thread, and the file's tensors are assigned to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from toolkit.engine.single_file import clip_tokenizer, text_tensors, unet_tensors, vae_tensors
from toolkit.engine.text import Reader
from toolkit.errors import ModelError
from toolkit.families import FOLDER, TextEncoder
from toolkit.model_files import ModelFile
from toolkit.weights import short

log = logging.getLogger(__name__)

_VAES = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}
# What a text encoder's configuration may say; a kernel or a module to fetch is none of a file's business.
_SHAPE = frozenset({
    "attention_dropout", "bos_token_id", "eos_token_id", "hidden_act", "hidden_size", "intermediate_size",
    "layer_norm_eps", "max_position_embeddings", "num_attention_heads", "num_hidden_layers", "pad_token_id",
    "projection_dim", "vocab_size",
})  # fmt: skip
_ENCODERS = {"CLIPTextModel": CLIPTextModel, "CLIPTextModelWithProjection": CLIPTextModelWithProjection}


def load_unet(model: ModelFile, dtype: torch.dtype, device: torch.device) -> UNet2DConditionModel:
    config = model.config("unet")
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    path = model.weights("unet")
    with _naming(path):
        # The names of attention weights in files older than diffusers 0.13; the class knows which are its own.
        tensors = unet_tensors(model, config) if model.single else unet._fix_state_dict_keys_on_load(load_file(path))
    return _filled(unet, tensors, path, dtype, device)


def load_vae(model: ModelFile, dtype: torch.dtype, device: torch.device) -> AutoencoderKL | AutoencoderTiny:
    config = model.config("vae")
    name = config.get("_class_name", "AutoencoderKL")
    if name not in _VAES:
        raise ModelError(f"{model.id}/vae/config.json asks for {name}; it must be one of {', '.join(_VAES)}.")
    with torch.device("meta"):
        vae = _VAES[name].from_config(config)
    path = model.weights("vae")
    with _naming(path):
        tensors = vae_tensors(model, config) if model.single else load_file(path)
        tensors = vae._fix_state_dict_keys_on_load(tensors)
    return _filled(vae, tensors, path, dtype, device)


def load_reader(model: ModelFile, part: TextEncoder, dtype: torch.dtype, device: torch.device) -> Reader:
    """A text encoder with its tokenizer; raise ModelError when they don't belong together."""
    encoder = _load_text_encoder(model, part, dtype, device)
    if model.single:
        tokenizer, place = clip_tokenizer(), FOLDER / "tokenizer"
        reader = Reader(tokenizer, encoder, pad=tokenizer.convert_tokens_to_ids(part.pad))
    else:
        place = model.path / part.tokenizer
        reader = Reader(_load_tokenizer(place), encoder)
    known, words = len(reader.tokenizer), encoder.config.vocab_size
    if known > words or known < words // 2:
        # A folder without its vocabulary loads as a tokenizer of a few tokens, and every prompt would be ignored.
        raise ModelError(f"{short(place)} knows {known} tokens and the text encoder {words}. Copy the model again.")
    return reader


def _load_text_encoder(model: ModelFile, part: TextEncoder, dtype: torch.dtype, device: torch.device) -> Any:
    config = CLIPTextConfig(**{name: value for name, value in model.config(part.component).items() if name in _SHAPE})
    config.dtype = None  # the class with a projection would set torch's default dtype for every thread
    with torch.device("meta"):
        encoder = _ENCODERS[part.class_name](config)
    inner = getattr(encoder, "text_model", encoder)
    inner.embeddings.position_ids = torch.arange(config.max_position_embeddings).expand((1, -1))
    path = model.weights(part.component)
    with _naming(path):
        tensors = text_tensors(model, part, encoder) if model.single else load_file(path)
    # Files put everything under "text_model.", the class only with a projection; position numbers are no weights.
    plain = {name.removeprefix("text_model."): value for name, value in tensors.items()}
    plain.pop("embeddings.position_ids", None)
    if inner is encoder:
        plain.pop("text_projection.weight", None)
    else:
        plain = {name if name.startswith("text_proj") else f"text_model.{name}": value for name, value in plain.items()}
    return _filled(encoder, plain, path, dtype, device)


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    try:
        return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{short(folder)} can't be read ({type(error).__name__}). Copy the model again.") from error


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file when its tensors can't be read, or aren't those that its family's names are made from."""
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{short(path)} is damaged ({type(error).__name__}). Copy the file again.") from error
    except (KeyError, AttributeError, IndexError) as error:
        raise ModelError(f"{short(path)} lacks tensors that its family has ({error}). Get the full file.") from error


def _filled(
    module: Any, tensors: dict[str, torch.Tensor], path: Path, dtype: torch.dtype, device: torch.device
) -> Any:
    """The module with a copy of the tensors: what is only mapped from a file ends the process when the file shrinks."""
    tensors = {
        name: tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None, copy=True)
        for name, tensor in tensors.items()
    }
    try:
        missing, unexpected = module.load_state_dict(tensors, strict=False, assign=True)
    except RuntimeError as error:
        raise ModelError(f"{short(path)} holds weights of other shapes than its config.json says.") from error
    if missing:
        raise ModelError(f"{short(path)} has no weights for {missing[0]} and {len(missing) - 1} more layers.")
    if unexpected:
        log.warning("%s holds %d tensors that nothing uses, such as %s", path, len(unexpected), unexpected[0])
    return module.to(device=device).eval().requires_grad_(False)
