"""Latents to pictures and back. The engine alone calls VAEs, one picture at a time, and passes no broken one on."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from toolkit.engine.device import free_cache, out_of_memory
from toolkit.engine.protocol import Picture
from toolkit.engine.tiling import tiled
from toolkit.errors import EngineError

_FLAT = 1e-3


class Decoder:
    """One model's VAE behind a lock: pipelines may not touch it, because its dtype and tiling are everybody's."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._lock = threading.Lock()

    def encode(self, image: Image.Image, tile: str = "") -> torch.Tensor:
        """Latents (1, channels, height, width) of an RGB picture, as the denoiser sees them, in float32 on the CPU."""
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 127.5 - 1
        with self._lock, torch.no_grad(), tiled(self._vae, tile):
            vae = self._vae
            latents = self._careful(lambda: _encoded(vae, pixels.to(vae.device, vae.dtype)))
            if not torch.isfinite(latents).all() and vae.dtype != torch.float32:
                latents = _encoded(copy.deepcopy(vae).float(), pixels.to(vae.device))
        return (latents.float() * vae.config.scaling_factor).cpu()

    def decode(self, latents: torch.Tensor, tile: str = "") -> tuple[Picture, str | None]:
        """The picture of latents (1, channels, height, width), and a sentence when it had to be decoded again.

        `tile` are the directions in which it repeats ("x", "y", "xy").

        Half precision can overflow inside a VAE: a picture with NaN or without any contrast is decoded once more
        in float32. Raises EngineError for one that stays broken.
        """
        if not torch.isfinite(latents).all():
            raise EngineError("The picture came out broken (NaN). Start the studio with --dtype float32 and try again.")
        with self._lock, torch.no_grad(), tiled(self._vae, tile):
            pixels, note = self._careful(lambda: self._run(self._vae, latents)), None
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

    def _careful(self, work: Callable[[], torch.Tensor]) -> torch.Tensor:
        """What `work` gives; in tiles when memory runs out, which leaves faint seams and needs a part of the memory."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or not hasattr(self._vae, "enable_tiling"):
                raise
            free_cache(self._vae.device)
            self._vae.enable_tiling()
            try:
                return work()
            finally:
                self._vae.disable_tiling()

    @staticmethod
    def _run(vae: Any, latents: torch.Tensor) -> torch.Tensor:
        """Pixels (1, 3, height, width) in 0…1 as float32."""
        scaled = (latents / vae.config.scaling_factor).to(vae.device, vae.dtype)
        return (vae.decode(scaled, return_dict=False)[0].float() * 0.5 + 0.5).clamp(0, 1)


def _encoded(vae: Any, pixels: torch.Tensor) -> torch.Tensor:
    """The latents of an autoencoder of either kind; of a distribution its middle, so that they are always the same."""
    encoded = vae.encode(pixels)
    return encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mode()


def _broken(pixels: torch.Tensor) -> bool:
    return not bool(torch.isfinite(pixels).all()) or bool(pixels.std() < _FLAT)
