"""ControlNet (Zhang et al. 2023) as a detour of a job's rows: what it adds goes into the denoiser's call.

A job with control units draws with the same pipeline as one without. Its rows first pass the ControlNets, which give
residuals for the denoiser's skip connections; rows of other jobs in the same call get zeros there.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from diffusers import ControlNetModel
from PIL import Image
from safetensors.torch import load_file

from toolkit.controls import ControlFile
from toolkit.engine.denoiser import Predict, Transform
from toolkit.engine.merging import Inputs
from toolkit.errors import ModelError
from toolkit.geometry import Size
from toolkit.masking import Box
from toolkit.resizing import resized
from toolkit.weights import short


class ControlShelf:
    """The ControlNets that were loaded for one model, the latest few kept."""

    KEPT = 3

    def __init__(self, components: Any) -> None:
        self._components = components
        self._kept: dict[tuple, tuple[ControlNetModel, threading.Lock]] = {}
        self._lock = threading.Lock()

    def take(self, file: ControlFile) -> tuple[ControlNetModel, threading.Lock]:
        """A ControlNet and the lock that its calls are made behind; raise ModelError for one that doesn't fit."""
        stat = file.path.stat()
        key = (file.path, stat.st_mtime_ns, stat.st_size)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = (self._load(file), threading.Lock())
                for old in list(self._kept)[: -self.KEPT]:
                    del self._kept[old]
            return self._kept[key]

    def _load(self, file: ControlFile) -> ControlNetModel:
        components = self._components
        if not file.fits(components.model):
            raise ModelError(f"{short(file.path)} is made for another family than {components.model.title}.")
        try:
            tensors = load_file(file.path)
        except Exception as error:  # safetensors raises its own type, which is a subclass of nothing else
            raise ModelError(f"{short(file.path)} is damaged ({type(error).__name__}). Copy the file again.") from error
        # Built on the meta device: what `from_pretrained` changes for the whole process would disturb running jobs.
        config = file.config
        with torch.device("meta"):
            if config is not None:
                net = ControlNetModel.from_config(dict(config))
            else:
                net = ControlNetModel.from_unet(components.unet, load_weights_from_unet=False)
        if config is None:
            from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

            tensors = convert_controlnet_checkpoint(tensors, dict(net.config))
        try:
            net.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise ModelError(f"{short(file.path)} is no ControlNet for {components.model.title}.") from error
        return net.to(components.device, components.dtype).eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class Unit:
    """One control of a job: the net, its control picture, and where and how strongly it works."""

    net: ControlNetModel
    lock: threading.Lock
    picture: Image.Image
    weight: float
    start: float
    end: float
    resize: str


def controlled(units: Sequence[Unit], size: Size, calls: int, window: tuple[Size, Box] | None = None) -> Transform:
    """Steer the rows of a pass of so many calls at `size` pixels.

    `window` is the whole picture's size and the part of it that the pass draws.
    """
    pictures = [_pixels(_framed(unit, size, window)) for unit in units]
    done = 0

    def transform(predict: Predict, inputs: Inputs) -> torch.Tensor:
        nonlocal done
        progress = min(1.0, done / max(1, calls))
        done += 1
        sums: list[torch.Tensor] = []
        for unit, pixels in zip(units, pictures, strict=True):
            if unit.weight and unit.start <= progress < max(unit.end, unit.start + 1e-6):
                added = _residuals(unit, inputs, pixels)
                sums = [one + other for one, other in zip(sums, added, strict=True)] if sums else added
        if not sums:
            return predict(inputs)
        residuals = {"down_block_additional_residuals": tuple(sums[:-1]), "mid_block_additional_residual": sums[-1]}
        return predict(replace(inputs, others={**inputs.others, **residuals}))

    return transform


def _residuals(unit: Unit, inputs: Inputs, pixels: torch.Tensor) -> list[torch.Tensor]:
    """What a unit adds to each skip connection, and last to the middle, for all rows."""
    net = unit.net
    where = {"device": net.device, "dtype": net.dtype}
    added = inputs.others.get("added_cond_kwargs")
    with unit.lock:
        down, middle = net(
            inputs.sample.to(**where),
            inputs.timestep.to(net.device),
            encoder_hidden_states=inputs.text.to(**where),
            controlnet_cond=pixels.to(**where).expand(inputs.rows, -1, -1, -1),
            conditioning_scale=unit.weight,
            added_cond_kwargs=added and {name: value.to(**where) for name, value in added.items()},
            return_dict=False,
        )
    return [*down, middle]


def _framed(unit: Unit, size: Size, window: tuple[Size, Box] | None) -> Image.Image:
    if window is None:
        return resized(unit.picture, size, unit.resize)
    whole, box = window
    return resized(unit.picture, whole, unit.resize).crop(box).resize(size, Image.Resampling.LANCZOS)


def _pixels(image: Image.Image) -> torch.Tensor:
    """(1, 3, height, width) in 0…1."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
