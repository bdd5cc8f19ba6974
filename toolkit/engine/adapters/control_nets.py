"""ControlNets from their files: diffusers' folders, and single files under diffusers' or the original names."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ControlNetModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from safetensors.torch import load_file

from toolkit.controls import ControlFile
from toolkit.engine.attention import attend
from toolkit.engine.device import free_cache, out_of_memory
from toolkit.errors import ModelError
from toolkit.weights import short

_ORDER = "controlnet_conditioning_channel_order"
_PREFIX = "control_model."
# What diffusers' conversion leaves out: how SDXL tells its denoiser the picture's size.
_SIZE_LAYERS = {"label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2"}
_BLOCK = re.compile(r"(?:down_blocks\.(\d+)|mid_block)\.attentions\.0\.transformer_blocks\.(\d+)\.")

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Net:
    """A loaded ControlNet: `model` is called by the denoiser's thread alone, with what `hint` made of a picture."""

    model: ControlNetModel
    bgr: bool = False

    def hint(self, pixels: torch.Tensor) -> torch.Tensor:
        """A control picture (1, 3, height, width) in 0…1 as the net takes it in, the same for every step and row."""
        layers = self.model.controlnet_cond_embedding
        if self.bgr:
            pixels = pixels.flip(1)
        return type(layers).forward(layers, pixels.to(self.model.device, self.model.dtype))


class ControlShelf:
    """The ControlNets that were loaded for one model, the latest few kept."""

    KEPT = 3

    def __init__(self, components: Any) -> None:
        self._components = components
        self._kept: dict[tuple, Net] = {}
        self._lock = threading.Lock()

    def take(self, file: ControlFile) -> Net:
        """The ControlNet of a file; raise ModelError for one that doesn't fit the model."""
        stat = file.path.stat()
        key = (file.path, stat.st_mtime_ns, stat.st_size)
        with self._lock:
            self._kept[key] = self._kept.pop(key, None) or self._load_with_room(file)
            for old in list(self._kept)[: -self.KEPT]:
                del self._kept[old]
            return self._kept[key]

    @property
    def bytes(self) -> int:
        """What the kept ones fill on the device."""
        with self._lock:
            weights = [weight for net in self._kept.values() for weight in net.model.parameters()]
        return sum(weight.numel() * weight.element_size() for weight in weights)

    def clear(self) -> None:
        """Let go of all that no job holds."""
        with self._lock:
            self._kept.clear()

    def _load_with_room(self, file: ControlFile) -> Net:
        try:
            return self._load(file)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or not self._kept:
                raise
            error.__traceback__ = None  # it holds what was loaded so far
        self._kept.clear()
        free_cache(self._components.device)
        return self._load(file)

    def _load(self, file: ControlFile) -> Net:
        components = self._components
        if not file.fits(components.model):
            raise ModelError(f"{short(file.path)} is made for another family than {components.model.title}.")
        try:
            tensors: Tensors = load_file(file.path)
        except Exception as error:  # safetensors raises its own type, which is a subclass of nothing else
            raise ModelError(f"{short(file.path)} is damaged ({type(error).__name__}). Copy the file again.") from error
        config = file.config
        try:
            if config is None:
                config, tensors = _from_one_file(tensors, components.unet)
            # Built on the meta device: what `from_pretrained` changes for the whole process would disturb running jobs.
            with torch.device("meta"):
                net = ControlNetModel.from_config({**config, _ORDER: "rgb"})
            net.load_state_dict(tensors, assign=True)
        except (RuntimeError, KeyError, AttributeError, ValueError) as error:
            if out_of_memory(error):
                raise
            raise ModelError(
                f"{short(file.path)} is no ControlNet for {components.model.title} ({components.family.title}): "
                "choose one for this family, or copy the file again."
            ) from error
        layers = net.controlnet_cond_embedding
        layers.forward = lambda hint: hint  # the picture has been through them once, before the first step
        net = net.to(components.device, components.dtype).eval().requires_grad_(False)
        if components.device.type in ("cuda", "cpu"):  # as the denoiser itself
            net = net.to(memory_format=torch.channels_last)
        attend(net, components.attention)
        return Net(net, bgr=config.get(_ORDER) == "bgr")


def _from_one_file(tensors: Tensors, unet: Any) -> tuple[dict[str, Any], Tensors]:
    """The configuration and the tensors under diffusers' names; what the names don't tell is the denoiser's own."""
    with torch.device("meta"):
        config = dict(ControlNetModel.from_unet(unet, load_weights_from_unet=False).config)
    plain = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()}
    converted = dict(convert_controlnet_checkpoint(plain, config))
    for old, new in _SIZE_LAYERS.items():
        converted |= {f"{new}.{end}": plain[f"{old}.{end}"] for end in ("weight", "bias") if f"{old}.{end}" in plain}
    # Smaller ControlNets for SDXL have fewer layers of attention than the denoiser.
    depths = [0] * len(config["down_block_types"])
    middle = 0
    for found in filter(None, map(_BLOCK.match, converted)):
        if found[1] is None:
            middle = max(middle, int(found[2]) + 1)
        else:
            depths[int(found[1])] = max(depths[int(found[1])], int(found[2]) + 1)
    config["down_block_types"] = tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths)
    config["transformer_layers_per_block"] = (*(depth or 1 for depth in depths[:-1]), depths[-1] or middle or 1)
    widths = [converted[f"controlnet_cond_embedding.{name}.weight"].shape[0] for name in _hint_layers(converted)]
    config["conditioning_embedding_out_channels"] = tuple(widths)
    return config, converted


def _hint_layers(tensors: Tensors) -> list[str]:
    """The layers that the picture passes, those that widen it."""
    count = sum(name.startswith("controlnet_cond_embedding.blocks.") and name.endswith("weight") for name in tensors)
    return ["conv_in", *(f"blocks.{number}" for number in range(1, count, 2))]
