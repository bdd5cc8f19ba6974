"""What a denoiser's call takes beside its weights: measured where the device tells, and kept for the next time.

How many rows fit, and whether models nobody uses have to go first, is then known before memory runs out.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import Protocol

import torch

from toolkit.engine.device import memory_free

log = logging.getLogger(__name__)

# The least of so many measurements counts: another job may take memory for its autoencoder meanwhile.
_TIMES = 3
# Blocks of freed memory do not always fit together.
_MARGIN = 1.1

Shape = tuple[int, int]


class Meter(Protocol):
    """Tells the largest number of bytes that were taken at one moment since `start`."""

    def start(self) -> None: ...

    def taken(self) -> int: ...


class CudaMeter:
    """torch's own count; `highest` is the peak of all the time, which each start would forget."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._before, self.highest = device, 0, 0

    def start(self) -> None:
        self.highest = max(self.highest, torch.cuda.max_memory_allocated(self._device))
        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = torch.cuda.memory_allocated(self._device)

    def taken(self) -> int:
        return torch.cuda.max_memory_allocated(self._device) - self._before


class Activations:
    """The bytes that calls of one denoiser took, by (rows, cells of a row: latent height × width).

    Without a `meter`, as on a CPU, nothing is measured, and everything fits. `free` says how many bytes are free;
    `file` is where the numbers of earlier sessions are.
    """

    def __init__(
        self, device: torch.device, file: Path | None = None, meter: Meter | None = None,
        free: Callable[[], int] | None = None,
    ) -> None:  # fmt: skip
        self.meter = meter or (CudaMeter(device) if device.type == "cuda" else None)
        self._free = free or partial(memory_free, device)
        self._file = file
        self._bytes: dict[Shape, int] = _read(file)
        self._times: dict[Shape, int] = {}

    @contextmanager
    def measured(self, rows: int, cells: int) -> Iterator[None]:
        """Surrounds a call of so many rows; one that fails teaches nothing."""
        shape, times = (rows, cells), self._times.get((rows, cells), 0)
        if self.meter is None or times == _TIMES:
            yield
            return
        self.meter.start()
        yield
        taken = self.meter.taken()
        self._times[shape] = times + 1
        self._bytes[shape] = min(taken, self._bytes[shape]) if times else taken
        if self._times[shape] == _TIMES:
            self._keep()

    def needed(self, rows: int, cells: int) -> int:
        """Bytes for a call of so many rows; 0 as long as none was measured.

        What was not tried itself is worked out from calls of the same size, else from those of other sizes: attention
        in blocks and convolutions grow with the number of cells.
        """
        if (rows, cells) in self._bytes:
            return self._bytes[rows, cells]
        known = {shape: taken for shape, taken in self._bytes.items() if shape[1] == cells} or self._bytes
        a_cell = max((taken / (shape[0] * shape[1]) for shape, taken in known.items()), default=0.0)
        return ceil(a_cell * rows * cells)

    def fits(self, rows: int, cells: int) -> bool:
        """Whether a call of so many rows can be expected to find room now."""
        needed = self.needed(rows, cells)
        return not needed or needed * _MARGIN <= self._free()

    def _keep(self) -> None:
        if self._file is None:
            return
        part = self._file.with_suffix(".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps([[*shape, taken] for shape, taken in self._bytes.items()]), encoding="utf-8")
            os.replace(part, self._file)
        except OSError as error:
            log.info("the memory of a call is not kept for the next time: %s", error)


def _read(file: Path | None) -> dict[Shape, int]:
    """What was kept; nothing when there is no such file, or no sense in it."""
    try:
        plain = json.loads(file.read_text(encoding="utf-8")) if file is not None else []
        return {(int(rows), int(cells)): int(taken) for rows, cells, taken in plain}
    except (OSError, ValueError, TypeError):
        return {}
