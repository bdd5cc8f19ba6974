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
from typing import Any

from toolkit.engine.components import Components, load_components
from toolkit.engine.device import choose_device, choose_dtype, dtype_name, free_cache, memory_budget
from toolkit.models import ModelFile

log = logging.getLogger(__name__)


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
        components = self._take(model)
        if components is None:
            with self._loading:  # one load at a time: two would need the memory of both at once
                components = self._take(model) or self._load(model)
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

    def _take(self, model: ModelFile) -> Components | None:
        """Lease a model that is in memory."""
        with self._lock:
            components = self._loaded.get(_key(model))
            if components is not None:
                components.leases += 1
            return components

    def _load(self, model: ModelFile) -> Components:
        model.check()
        self._make_room(model)
        components = load_components(model, self.dtype, self.device)
        components.leases += 1
        with self._lock:
            self._loaded[_key(model)] = components
        log.info("loaded %s as %s in %.1f s", model.id, dtype_name(self.dtype), components.seconds)
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
    stats = [model.weights(name).stat() for name in model.row.components]
    return (str(model.path), *((stat.st_mtime_ns, stat.st_size) for stat in stats))
