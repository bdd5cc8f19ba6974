"""What every training stage needs: a time budget that survives a restart, a learning rate over it, a progress bar."""

import math
import os
import pickle
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from toolkit.errors import ModelError


def device_and_dtype() -> tuple[torch.device, torch.dtype]:
    """The GPU when there is one, else the CPU; and bfloat16, which both multiply natively or emulate well."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu"), torch.bfloat16


class Budget:
    """A stage's clock: `seconds` of training in all, `spent` of them so far, kept across restarts by `state()`.

    With `time.thread_time` for a clock, a CPU that other work keeps busy takes longer but trains as many steps.
    """

    def __init__(self, seconds: float, label: str, clock: Callable[[], float] = time.monotonic):
        self.seconds, self.label, self.clock = seconds, label, clock
        self.spent, self.step, self._last, self._shown = 0.0, 0, clock(), 0.0

    def tick(self) -> bool:
        """Counts one step and says whether there is time for another."""
        now = self.clock()
        self.spent, self._last, self.step = self.spent + now - self._last, now, self.step + 1
        return self.spent < self.seconds

    def pause(self) -> None:
        """Leaves the time since the last tick uncounted, such as that of drawing samples."""
        self._last = self.clock()

    def rate(self, peak: float, warm_up: int, floor: float = 0.02) -> float:
        """The learning rate now: linear warm-up by steps, then a cosine over the time budget down to floor x peak."""
        part = min(1.0, self.spent / self.seconds)
        return peak * min(1.0, (self.step + 1) / warm_up) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * part)))

    def show(self, text: str, every: float = 10.0) -> None:
        """Prints the progress bar at most every `every` seconds."""
        if self.spent - self._shown < every:
            return
        self._shown = self.spent
        part = min(1.0, self.spent / self.seconds)
        bar = "#" * int(part * 20) + "." * (20 - int(part * 20))
        end = "\r" if sys.stdout.isatty() else "\n"
        clock = f"{self.spent:5.0f}/{self.seconds:.0f} s"
        print(f"{self.label} [{bar}] {clock}  step {self.step}  {text}", end=end, flush=True)

    def state(self) -> dict:
        """What to save beside the weights."""
        return {"spent": self.spent, "step": self.step}

    def load(self, state: dict) -> None:
        """Continues from a saved state."""
        self.spent = self._shown = state["spent"]
        self.step = state["step"]
        if self.spent >= self.seconds:
            print(f"{self.label}: done already, in {self.spent / 60:.0f} minutes; a larger --minutes takes it further")
        self.pause()


def save_atomically(state: dict, path: Path) -> None:
    """Writes a checkpoint so that a crash leaves the last one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


@contextmanager
def taking_up(
    path: Path, device: torch.device | str = "cpu", *, weights_only: bool = True,
    otherwise: str = "Start this stage without --resume.",
) -> Iterator[Any]:  # fmt: skip
    """A saved state to go on from. Raises ModelError for a damaged file, or one that fits another model, with what to
    do `otherwise`.
    """
    try:
        yield torch.load(path, map_location=device, weights_only=weights_only)
    except torch.OutOfMemoryError:
        raise
    except (
        RuntimeError, ValueError, KeyError, AttributeError, ImportError, EOFError, OSError, pickle.UnpicklingError
    ) as error:  # fmt: skip
        raise ModelError(
            f"{path} is damaged or belongs to another model, so training can't go on from it. {otherwise}"
        ) from error


def save_folder(write: Callable[[Path], Any], folder: Path) -> None:
    """Lets `write` fill a folder that takes the place of `folder` once it is whole."""
    part = folder.with_name(folder.name + ".new")
    shutil.rmtree(part, ignore_errors=True)
    write(part)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(part, folder)
