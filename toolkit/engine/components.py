"""The pipeline manager: components of models, loaded once, shared by all jobs, dropped when memory is needed.

It keeps components and no pipelines: a pipeline over shared components costs under a millisecond, and every mode
(text to image, image to image, inpainting) uses the same ones.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from toolkit.engine.decoding import Decoder
from toolkit.engine.device import choose_device, choose_dtype, dtype_name, free_cache, memory_budget
from toolkit.engine.loading import load_text_encoder, load_tokenizer, load_unet, load_vae
from toolkit.engine.text import PromptEncoder
from toolkit.models import ModelFile

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Components:
    """One model, loaded. The denoiser is called by jobs; text encoder and VAE only through `text` and `decoder`."""

    model: ModelFile
    unet: Any
    vae: Any
    text: PromptEncoder
    decoder: Decoder
    device: torch.device
    dtype: torch.dtype
    bytes: int
    leases: int = 0
    used: float = field(default_factory=time.monotonic)

    @property
    def latent_scale(self) -> int:
        """Pixels of the picture for one of the latents, along a side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)


class PipelineManager:
    """Loads components by model file and leases them; what nobody leases goes first when the budget is full."""

    def __init__(self, dtype: str = "auto", budget: int | None = None) -> None:
        self.device = choose_device()
        self.dtype = choose_dtype(dtype, self.device)
        self._budget = memory_budget(self.device) if budget is None else budget
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._loaded: dict[tuple, Components] = {}

    @contextmanager
    def lease(self, model: ModelFile) -> Iterator[Components]:
        """The model's components, loaded if need be, and kept while the lease lasts."""
        with self._loading:  # one load at a time: two would need the memory of both at once
            components = self._find(model) or self._load(model)
            with self._lock:
                components.leases += 1
        try:
            yield components
        finally:
            with self._lock:
                components.leases -= 1
                components.used = time.monotonic()

    def loaded(self) -> list[dict[str, Any]]:
        """JSON-ready facts about what is in memory."""
        with self._lock:
            return [{"id": c.model.id, "bytes": c.bytes, "warm": True} for c in self._loaded.values()]

    def close(self) -> None:
        with self._lock:
            self._loaded.clear()
        gc.collect()
        free_cache(self.device)

    def _find(self, model: ModelFile) -> Components | None:
        with self._lock:
            return self._loaded.get(_key(model))

    def _load(self, model: ModelFile) -> Components:
        model.check()
        self._make_room(model)
        began = time.perf_counter()
        place = (self.dtype, self.device)
        encoder = load_text_encoder(model, *place)
        unet, vae = load_unet(model, *place), load_vae(model, *place)
        if self.device.type == "cuda":
            unet = unet.to(memory_format=torch.channels_last)
        tokenizer = load_tokenizer(model, encoder.config.vocab_size)
        components = Components(
            model=model,
            unet=unet,
            vae=vae,
            text=PromptEncoder(tokenizer, encoder, model.card),
            decoder=Decoder(vae),
            device=self.device,
            dtype=self.dtype,
            bytes=sum(_size(module) for module in (encoder, unet, vae)),
        )
        with self._lock:
            self._loaded[_key(model)] = components
        log.info("loaded %s as %s in %.1f s", model.id, dtype_name(self.dtype), time.perf_counter() - began)
        return components

    def _make_room(self, model: ModelFile) -> None:
        """Drop old versions of this model, then the longest unused, until the new one fits the budget."""
        with self._lock:
            idle = sorted((c.used, key) for key, c in self._loaded.items() if c.leases == 0)
            for _, key in idle:
                full = sum(c.bytes for c in self._loaded.values()) + model.bytes > self._budget
                if full or key[0] == str(model.path):
                    log.info("dropped %s", self._loaded.pop(key).model.id)
        gc.collect()
        free_cache(self.device)


def _key(model: ModelFile) -> tuple:
    """A model whose files were replaced on disk is another model."""
    stats = [model.weights(name).stat() for name in ("unet", "vae", "text_encoder")]
    return (str(model.path), *((stat.st_mtime_ns, stat.st_size) for stat in stats))


def _size(module: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in module.parameters())
