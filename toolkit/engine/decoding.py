"""Latents to pictures. The engine alone calls VAEs, one picture at a time, and never passes a broken one on."""

from __future__ import annotations

import copy
import threading
from typing import Any

import torch

from toolkit.engine.protocol import Picture
from toolkit.errors import EngineError

_FLAT = 1e-3


class Decoder:
    """One model's VAE behind a lock: pipelines may not touch it, because its dtype and tiling are everybody's."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._lock = threading.Lock()

    def decode(self, latents: torch.Tensor) -> tuple[Picture, str | None]:
        """The picture of latents (1, channels, height, width), and a sentence when it had to be decoded again.

        Half precision can overflow inside a VAE: a picture with NaN or without any contrast is decoded once more
        in float32. Raises EngineError for one that stays broken.
        """
        if not torch.isfinite(latents).all():
            raise EngineError("The picture came out broken (NaN). Start the studio with --dtype float32 and try again.")
        with self._lock, torch.no_grad():
            pixels, note = self._run(self._vae, latents), None
            if _broken(pixels) and self._vae.dtype != torch.float32:
                note = "The picture was decoded again in float32, because it first came out black."
                pixels = self._run(copy.deepcopy(self._vae).float(), latents)
        if not torch.isfinite(pixels).all():
            raise EngineError("The picture came out broken (NaN). Try another seed or a lower guidance.")
        if _broken(pixels):
            note = "The picture is one flat colour. Try another seed, or a lower guidance."
        whole = (pixels[0].permute(1, 2, 0).cpu() * 255).round().to(torch.uint8)
        height, width, _ = whole.shape
        return Picture(width, height, whole.contiguous().numpy().tobytes()), note

    @staticmethod
    def _run(vae: Any, latents: torch.Tensor) -> torch.Tensor:
        """Pixels (1, 3, height, width) in 0…1 as float32."""
        scaled = (latents / vae.config.scaling_factor).to(vae.dtype)
        return (vae.decode(scaled, return_dict=False)[0].float() * 0.5 + 0.5).clamp(0, 1)


def _broken(pixels: torch.Tensor) -> bool:
    return not bool(torch.isfinite(pixels).all()) or bool(pixels.std() < _FLAT)
