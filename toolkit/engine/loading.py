"""A model's components from its files, loaded without disturbing a job that draws meanwhile.

`from_pretrained` changes torch's default dtype and patches parameter creation for the whole process while it runs, so
that tensors made by other threads come out wrong. Here a module is built on the meta device, which is a matter of one
thread, and the file's tensors are assigned to it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from toolkit.engine.text import Reader
from toolkit.errors import ModelError
from toolkit.families import TextEncoder
from toolkit.models import ModelFile
from toolkit.weights import short

log = logging.getLogger(__name__)

_VAES = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}
_ENCODERS = {"CLIPTextModel": CLIPTextModel, "CLIPTextModelWithProjection": CLIPTextModelWithProjection}


def load_unet(model: ModelFile, dtype: torch.dtype, device: torch.device) -> UNet2DConditionModel:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(model.config("unet"))
    # The names of attention weights in files older than diffusers 0.13; the class knows which are its own.
    tensors = unet._fix_state_dict_keys_on_load(_read(model.weights("unet")))
    return _filled(unet, tensors, model.weights("unet"), dtype, device)


def load_vae(model: ModelFile, dtype: torch.dtype, device: torch.device) -> AutoencoderKL | AutoencoderTiny:
    config = model.config("vae")
    name = config.get("_class_name", "AutoencoderKL")
    if name not in _VAES:
        raise ModelError(f"{model.id}/vae/config.json asks for {name}; it must be one of {', '.join(_VAES)}.")
    with torch.device("meta"):
        vae = _VAES[name].from_config(config)
    tensors = vae._fix_state_dict_keys_on_load(_read(model.weights("vae")))
    return _filled(vae, tensors, model.weights("vae"), dtype, device)


def load_reader(model: ModelFile, part: TextEncoder, dtype: torch.dtype, device: torch.device) -> Reader:
    """A text encoder with its tokenizer; raise ModelError when they don't belong together."""
    encoder = _load_text_encoder(model, part, dtype, device)
    return Reader(_load_tokenizer(model, part, encoder.config.vocab_size), encoder)


def _load_text_encoder(model: ModelFile, part: TextEncoder, dtype: torch.dtype, device: torch.device) -> Any:
    config = CLIPTextConfig.from_dict(model.config(part.component))
    config.dtype = None  # the class with a projection would set torch's default dtype for every thread
    with torch.device("meta"):
        encoder = _ENCODERS[part.class_name](config)
    inner = getattr(encoder, "text_model", encoder)
    inner.embeddings.position_ids = torch.arange(config.max_position_embeddings).expand((1, -1))
    path = model.weights(part.component)
    # Files put everything under "text_model.", the class only with a projection; position numbers are no weights.
    plain = {name.removeprefix("text_model."): value for name, value in _read(path).items()}
    plain.pop("embeddings.position_ids", None)
    if inner is encoder:
        plain.pop("text_projection.weight", None)
    else:
        plain = {name if name.startswith("text_proj") else f"text_model.{name}": value for name, value in plain.items()}
    return _filled(encoder, plain, path, dtype, device)


def _load_tokenizer(model: ModelFile, part: TextEncoder, words: int) -> CLIPTokenizer:
    """The model's tokenizer; raise ModelError when it doesn't know the `words` that the text encoder was made for."""
    folder = model.path / part.tokenizer
    try:
        tokenizer = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{short(folder)} can't be read ({type(error).__name__}). Copy the model again.") from error
    if len(tokenizer) > words or len(tokenizer) < words // 2:
        # A folder without its vocabulary loads as a tokenizer of a few tokens, and every prompt would be ignored.
        raise ModelError(
            f"{short(folder)} knows {len(tokenizer)} tokens and the text encoder {words}. Copy the model again."
        )
    return tokenizer


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own type, which it does not export as a subclass of anything
        raise ModelError(f"{short(path)} is damaged ({type(error).__name__}). Copy the file again.") from error


def _filled(
    module: Any, tensors: dict[str, torch.Tensor], path: Path, dtype: torch.dtype, device: torch.device
) -> Any:
    try:
        missing, unexpected = module.load_state_dict(tensors, strict=False, assign=True)
    except RuntimeError as error:
        raise ModelError(f"{short(path)} holds weights of other shapes than its config.json says.") from error
    if missing:
        raise ModelError(f"{short(path)} has no weights for {missing[0]} and {len(missing) - 1} more layers.")
    if unexpected:
        log.warning("%s holds %d tensors that nothing uses, such as %s", path, len(unexpected), unexpected[0])
    return module.to(device=device, dtype=dtype).eval().requires_grad_(False)
