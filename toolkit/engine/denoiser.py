"""A job's seat at the shared denoiser: what its pipeline sees as the UNet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

Patch = Callable[[], AbstractContextManager[Any]]


class Seat(torch.nn.Module):
    """Stands where a pipeline expects its UNet and hands each call on to the shared one.

    The pipeline keeps latents, noise and the sampler's arithmetic in float32, whatever the denoiser's dtype is, so
    that a seed draws the same noise in every dtype and the steps add no rounding of their own. `patch` surrounds each
    call with what plugins change for this job: the UNet is everybody's, so it must not stay changed in between.
    """

    def __init__(self, unet: Any, patch: Patch = nullcontext) -> None:
        super().__init__()
        self._patch = patch
        object.__setattr__(self, "_unet", unet)  # not a submodule: moving or casting a seat must not touch the UNet
        self.config = unet.config
        self.dtype = torch.float32
        self.device = unet.device

    def forward(
        self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, return_dict: bool = True,
        **others: Any,
    ) -> tuple[torch.Tensor]:  # fmt: skip
        """Predict for latents (rows, channels, height, width); always returns a tuple, as the pipelines ask for."""
        dtype = self._unet.dtype
        with self._patch():
            predicted = self._unet(
                sample.to(dtype), timestep, encoder_hidden_states.to(dtype), return_dict=False, **others
            )[0]  # fmt: skip
        return (predicted.float(),)
