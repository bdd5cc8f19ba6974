"""A model's components from its folder, loaded without disturbing a job that draws meanwhile.

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
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from toolkit.errors import ModelError
from toolkit.models import ModelFile
from toolkit.weights import read_json, short

log = logging.getLogger(__name__)

_VAES = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}


def load_unet(model: ModelFile, dtype: torch.dtype, device: torch.device) -> UNet2DConditionModel:
    config = read_json(model.path / "unet" / "config.json")
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    return _filled(unet, _tensors(unet, model.weights("unet")), model.weights("unet"), dtype, device)


def load_vae(model: ModelFile, dtype: torch.dtype, device: torch.device) -> AutoencoderKL | AutoencoderTiny:
    config = read_json(model.path / "vae" / "config.json")
    name = config.get("_class_name", "AutoencoderKL")
    if name not in _VAES:
        raise ModelError(f"{model.id}/vae/config.json asks for {name}; it must be one of {', '.join(_VAES)}.")
    with torch.device("meta"):
        vae = _VAES[name].from_config(config)
    return _filled(vae, _tensors(vae, model.weights("vae")), model.weights("vae"), dtype, device)


def load_text_encoder(model: ModelFile, dtype: torch.dtype, device: torch.device) -> CLIPTextModel:
    config = CLIPTextConfig.from_dict(read_json(model.path / "text_encoder" / "config.json"))
    with torch.device("meta"):
        encoder = CLIPTextModel(config)
    encoder.embeddings.position_ids = torch.arange(config.max_position_embeddings).expand((1, -1))
    path = model.weights("text_encoder")
    # Older files put everything under "text_model." and keep the position numbers, which are no weights.
    tensors = {name.removeprefix("text_model."): value for name, value in _read(path).items()}
    tensors.pop("embeddings.position_ids", None)
    tensors.pop("text_projection.weight", None)
    return _filled(encoder, tensors, path, dtype, device)


def load_tokenizer(model: ModelFile, words: int) -> CLIPTokenizer:
    """The folder's tokenizer; raise ModelError when it doesn't know the `words` that the text encoder was made for."""
    folder = model.path / "tokenizer"
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


def _tensors(module: Any, path: Path) -> dict[str, torch.Tensor]:
    # The names of attention weights in files older than diffusers 0.13; the class knows which are its own.
    return module._fix_state_dict_keys_on_load(_read(path))


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
