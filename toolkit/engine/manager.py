"""The pipeline manager: components of models, loaded once, shared by all jobs, put aside when memory is needed.

It keeps components and no pipelines: a pipeline over shared components costs under a millisecond, and every mode
(text to image, image to image, inpainting) uses the same ones. With a graphics card a model that is put aside is
parked in the computer's memory first, from where it comes back many times faster than from disk.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from toolkit.engine.activations import Activations
from toolkit.engine.components import Components, load_components
from toolkit.engine.device import (
    choose_device,
    choose_dtype,
    dtype_name,
    free_cache,
    memory_budget,
    memory_free,
    out_of_memory,
)
from toolkit.errors import ModelError
from toolkit.model_files import ModelFile
from toolkit.warmth import tell_loaded

log = logging.getLogger(__name__)

Key = tuple[Any, ...]
_MEMORY = torch.device("cpu")


class PipelineManager:
    """Loads components by model file and leases them; what nobody leases makes room when the budget is full.

    `budget` are the bytes that models may fill on the device, `parked` those in memory beside a graphics card; None is
    what fits the machine. What goes first is what is quickly brought back, large, and long unused. `told` is the folder
    in which other processes read what is in memory. `passing` says whether the denoiser of a model that is larger than
    the budget stays in memory and passes through the device; None is where there is a graphics card.
    """

    def __init__(
        self, dtype: str = "auto", budget: int | None = None, parked: int | None = None, told: Path | None = None,
        passing: bool | None = None, attention: str = "auto",
    ) -> None:  # fmt: skip
        self._attention = attention
        self.device = choose_device()
        self.dtype = choose_dtype(dtype, self.device)
        self._budget = memory_budget(self.device) if budget is None else budget
        self._parked = (memory_budget(_MEMORY) if parked is None else parked) if self.device != _MEMORY else 0
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._loaded: dict[Key, Components] = {}
        self._told = told
        self._passing = self.device.type == "cuda" if passing is None else passing

    @contextmanager
    def lease(self, model: ModelFile) -> Iterator[Components]:
        """The model's components, loaded if need be, and kept while the lease lasts."""
        key = _key(model)
        components = self._take(key)
        if components is None:
            with self._loading:  # one load at a time: two would need the memory of both at once
                components = self._take(key) or self._bring(key, model)
                self._tell()
        try:
            yield components
        finally:
            with self._lock:
                components.leases -= 1
                components.used = time.monotonic()

    @property
    def budget(self) -> int:
        """Bytes that models may fill on the device."""
        return self._budget

    def reserve(self, components: Components, rows: int, cells: int) -> None:
        """Put models aside that nobody uses until a call of so many rows fits the budget, as far as it was measured.

        `cells` are those of a row: latent height × width.
        """
        needed = components.coalescer.activations.needed(rows, cells)
        with self._lock:
            full = sum(_held(c) for c in self._loaded.values() if c.ready) + needed > self._budget
            idle = any(c.ready and not c.leases for c in self._loaded.values())
        if needed and full and idle:
            with self._loading:
                self._make_room(needed)
                self._tell()

    def loaded(self) -> list[dict[str, Any]]:
        """JSON-ready facts about what is in memory; a model that is not `warm` is parked and must be moved first."""
        now = time.monotonic()
        with self._lock:
            return [
                {
                    "id": c.model.id,
                    "bytes": c.bytes,
                    "warm": c.ready,
                    "passing": c.passing,
                    "place": self.device.type if c.ready else "memory",
                    "leases": c.leases,
                    **c.coalescer.stats(),
                    "load_seconds": round(c.seconds, 2),
                    "idle_seconds": 0.0 if c.leases else round(now - c.used, 1),
                }
                for c in self._loaded.values()
            ]

    def longest_call(self) -> float:
        """Seconds since which a denoiser is in its present call; the longest of all models."""
        with self._lock:
            return max((c.coalescer.busy_seconds for c in self._loaded.values()), default=0.0)

    def close(self) -> None:
        with self._lock:
            loaded = list(self._loaded.values())
            self._loaded.clear()
        for components in loaded:
            components.coalescer.close()
        self._tell()
        self._free()

    def _tell(self) -> None:
        with self._lock:
            models = [{"path": str(c.model.path), "warm": c.ready} for c in self._loaded.values()]
        tell_loaded(self._told, models)

    def _take(self, key: Key) -> Components | None:
        """Lease a model that is ready on the device."""
        with self._lock:
            components = self._loaded.get(key)
            if components is None or not components.ready:
                return None
            components.leases += 1
            return components

    def _bring(self, key: Key, model: ModelFile) -> Components:
        """Move a parked model back, or load it; leased already, so that nobody takes its place."""
        self._forget_versions(key)
        with self._lock:
            parked = self._loaded.get(key)
            if parked is not None:
                parked.leases += 1
        if parked is not None:
            try:
                self._make_room(parked.bytes)
                self._move(parked, self.device)
            finally:
                with self._lock:
                    parked.leases -= not parked.ready
            return parked
        needed = model.elements() * self.dtype.itemsize
        passing = self._passing and needed > self._budget
        if not passing:
            self._make_room(needed)
            passing = self._passing and needed > memory_free(self.device)
        if passing:
            log.info("%s is larger than there is room: its denoiser passes through the device", model.id)
            needed -= model.elements("unet") * self.dtype.itemsize
            self._make_room(needed)
        self._check_free(model, needed)
        components = self._load(model, passing)
        components.coalescer.activations = Activations(self.device, self._activations_of(key))
        components.leases = 1
        with self._lock:
            self._loaded[key] = components
        return components

    def _load(self, model: ModelFile, passing: bool) -> Components:
        try:
            components = load_components(model, self.dtype, self.device, passing, self._attention)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            # The traceback holds what was loaded so far: it has to go before there is room for a second try.
            error.__traceback__ = None
            self._make_room(self._budget)
            components = load_components(model, self.dtype, self.device, passing, self._attention)
        log.info("loaded %s as %s in %.1f s", model.id, dtype_name(self.dtype), components.seconds)
        return components

    def _activations_of(self, key: Key) -> Path | None:
        """Where the memory that this model's calls take is kept, for this dtype and this device."""
        if self._told is None:
            return None
        card = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        name = hashlib.sha256(repr((key, dtype_name(self.dtype), card)).encode()).hexdigest()
        return self._told / "activations" / f"{name[:24]}.json"

    def _check_free(self, model: ModelFile, needed: int) -> None:
        free = memory_free(self.device)
        if needed > free:
            raise ModelError(
                f"{model.title} needs {needed / 1e9:.1f} GB as {dtype_name(self.dtype)} and {free / 1e9:.1f} GB are "
                "free: close other programs, start with --dtype bfloat16, or choose a smaller model."
            )

    def _forget_versions(self, key: Key) -> None:
        """Drop what was loaded from files that have been replaced since."""
        with self._lock:
            for other, components in list(self._loaded.items()):
                if other[0] == key[0] and other != key and not components.leases:
                    del self._loaded[other]
                    log.info("dropped the former %s", components.model.id)

    def _make_room(self, needed: int) -> None:
        """Put models aside until `needed` bytes fit the budget, or all that are left are leased."""
        while True:
            with self._lock:
                full = sum(_held(c) for c in self._loaded.values() if c.ready) + needed > self._budget
                idle = [(_worth(c), key) for key, c in self._loaded.items() if c.ready and not c.leases]
                if not full or not idle:
                    break
                key = min(idle)[1]
                leaving = self._loaded[key]
                leaving.ready = False
                if not self._can_park(leaving):
                    del self._loaded[key]
            if key in self._loaded:
                self._move(leaving, _MEMORY)
            log.info("put %s aside", leaving.model.id)
            del leaving
        self._free()

    def _can_park(self, leaving: Components) -> bool:
        """Whether memory has room for one more parked model; the least worthy parked ones go for it."""
        if leaving.passing or leaving.bytes > self._parked:
            return False
        parked = {key: c for key, c in self._loaded.items() if not c.ready and not c.leases and c is not leaving}
        while sum(c.bytes for c in parked.values()) + leaving.bytes > self._parked:
            key = min(parked, key=lambda one: _worth(parked[one]))
            del self._loaded[key], parked[key]
        return True

    def _move(self, components: Components, device: torch.device) -> None:
        for module in components.modules:
            module.to(device)
        if device != self.device:
            components.controls.clear()  # what is put aside takes its ControlNets off the device as well
        components.ready = device == self.device

    def _free(self) -> None:
        gc.collect()
        free_cache(self.device)


def _held(components: Components) -> int:
    """Bytes that a model fills on the device with the ControlNets that were loaded for it."""
    return components.bytes + components.controls.bytes


def _worth(components: Components) -> float:
    """Seconds that keeping a model saves, for each byte it fills and each second it has not been used."""
    idle = max(1.0, time.monotonic() - components.used)
    return components.seconds / (max(components.bytes, 1) * idle)


def _key(model: ModelFile) -> Key:
    """A model whose files were replaced on disk is another model."""
    stats = [model.weights(name).stat() for name in model.row.components]
    return (str(model.path), *((stat.st_mtime_ns, stat.st_size) for stat in stats))
