"""A job's seat at the shared denoiser: what its pipeline sees as the UNet."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch

from toolkit.engine.coalescer import Patch, Turn
from toolkit.engine.merging import Inputs, rows_of
from toolkit.engine.skips import Skips

Predict = Callable[[Inputs], torch.Tensor]
Transform = Callable[[Predict, Inputs], torch.Tensor]


class Seat(torch.nn.Module):
    """Stands where a pipeline expects its UNet and hands each call on to the job's turn at the shared one.

    The pipeline keeps latents, noise and the sampler's arithmetic in float32, whatever the denoiser's dtype is, so
    that a seed draws the same noise in every dtype and the steps add no rounding of their own. `patch` surrounds each
    call with what plugins change for this job (jobs of equal `patch_key` share a call); `transforms` are rows' detours,
    the first one outermost: each gets the rest of the way and the rows, and may ask it as often as it likes.
    `adapters` go with the rows to `Coalescer.around`; `calls` is how many calls the pipeline makes, 0 when unknown: the
    job's progress is counted by it, and after the last one nobody waits for another.
    """

    def __init__(
        self, turn: Turn, unet: Any, *, patch: Patch | None = None, patch_key: Hashable = None,
        transforms: Sequence[Transform] = (), adapters: Any = None, calls: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        # Not submodules: moving or casting a seat must not touch the UNet.
        object.__setattr__(self, "_turn", turn)
        object.__setattr__(self, "_unet", unet)
        self._patch, self._patch_key, self._adapters = patch, patch_key, adapters
        self._calls, self._done = calls, 0
        self._predict: Predict = self._ask
        for transform in reversed(transforms):
            self._predict = _detour(transform, self._predict)
        self._precision = unet.dtype  # which looks at every module, so not for each call
        self.config = unet.config
        self.dtype = torch.float32
        self.device = unet.device

    @property
    def add_embedding(self) -> Any:
        """What SDXL's pipelines look at to see how much the denoiser is told of the picture's size."""
        return self._unet.add_embedding

    def forward(
        self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, return_dict: bool = True,
        **others: Any,
    ) -> tuple[torch.Tensor]:  # fmt: skip
        """Predict for latents (rows, channels, height, width); always returns a tuple, as the pipelines ask for."""
        times = torch.as_tensor(timestep, dtype=torch.float32, device=sample.device).reshape(-1).expand(len(sample))
        given = {name: value for name, value in others.items() if value is not None}
        predicted = self._predict(Inputs(sample, times, encoder_hidden_states, given))
        self._done += 1
        if self._done == self._calls:
            self._turn.rest()
        return (predicted.float(),)

    def _ask(self, inputs: Inputs) -> torch.Tensor:
        dtype = self._precision
        cast = replace(
            inputs,
            sample=inputs.sample.to(dtype),
            text=inputs.text.to(dtype),
            others={name: _cast(value, dtype) for name, value in inputs.others.items()},
        )
        progress = min(1.0, self._done / self._calls) if self._calls else 0.0
        return self._turn.predict(cast, self._patch, self._patch_key, self._adapters, progress)


def unskipped(skips: Skips) -> Transform:
    """Leave the rows of pictures that were given up out of the calls; what stands in their place is never looked at."""
    pictures = tuple(skips.drawing)

    def transform(predict: Predict, inputs: Inputs) -> torch.Tensor:
        wanted = skips.left(pictures)
        if len(wanted) == len(pictures):
            return predict(inputs)
        skips.check()
        copies = range(0, inputs.rows, len(pictures))  # with guidance each picture has a row more
        rows = [copy + pictures.index(picture) for copy in copies for picture in wanted]
        predicted = predict(rows_of(inputs, rows))
        whole = predicted.new_zeros((inputs.rows, *predicted.shape[1:]))
        whole[rows] = predicted
        return whole

    return transform


def _detour(transform: Transform, rest: Predict) -> Predict:
    return lambda inputs: transform(rest, inputs)


def _cast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {name: _cast(one, dtype) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_cast(one, dtype) for one in value)
    return value
