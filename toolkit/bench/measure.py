"""Timing two ways of doing the same thing, in turns, so that a busy machine disturbs both alike."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Result:
    """A scenario's outcome; `aim` bounds `value` from above, or from below with `at_least`.

    `spread` are the quartiles of the single runs.
    """

    scenario: str
    value: float
    aim: float
    unit: str
    ours_s: float
    peer_s: float
    runs: int
    spread: tuple[float, float]
    conditions: dict[str, Any] = field(default_factory=dict)
    at_least: bool = False

    @property
    def reached(self) -> bool:
        return self.value >= self.aim if self.at_least else self.value <= self.aim

    def to_dict(self) -> dict[str, Any]:
        return {
            "value": float(f"{self.value:.5g}"),
            "aim": self.aim,
            "ours_s": round(self.ours_s, 4),
            "peer_s": round(self.peer_s, 4),
            "runs": self.runs,
            "spread": [float(f"{edge:.5g}") for edge in self.spread],
            **self.conditions,
        }

    def line(self) -> str:
        """One line for a person."""
        verdict, bound = "reached" if self.reached else "missed", "≥" if self.at_least else "≤"
        low, high = self.spread
        return (
            f"{self.scenario}: {self.value:.4g}{self.unit} (quartiles {low:.4g} to {high:.4g}), "
            f"aim {bound} {self.aim:g}{self.unit} {verdict}; "
            f"ours {self.ours_s:.3f} s, peer {self.peer_s:.3f} s, {self.runs} runs"
        )


Pair = tuple[list[float], list[float]]


def in_turns(
    ours: Callable[[int], Any], peer: Callable[[int], Any], runs: int, processor: Pair | None = None
) -> Pair:  # fmt: skip
    """Seconds of `runs` calls of each, one after the other, the first one changing; each call gets its number.

    `processor` is filled with the seconds of processor time that this process took, which other programs on a busy
    machine change less.
    """
    seconds: Pair = ([], [])
    for number in range(runs):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            began, began_processor = time.perf_counter(), time.process_time()
            (ours, peer)[which](number)
            seconds[which].append(time.perf_counter() - began)
            if processor is not None:
                processor[which].append(time.process_time() - began_processor)
    return seconds


def gain(pair: Pair) -> float:
    """How many times longer the peer took, the median of the pairs."""
    return round(statistics.median(theirs / mine for mine, theirs in zip(*pair, strict=True)), 3)


def conditions(precision: Any) -> dict[str, Any]:
    """What a number depends on besides the code: device, precision, threads, versions, and how busy the machine is."""
    import diffusers
    import torch

    from toolkit.engine.device import choose_device, dtype_name

    known: dict[str, Any] = {
        "device": choose_device().type,
        "dtype": dtype_name(precision),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
    }
    if hasattr(os, "getloadavg"):
        known["load"] = round(os.getloadavg()[0], 1)
    if choose_device().type == "cuda":
        known["card"] = torch.cuda.get_device_name()
    return known


def quartiles(values: list[float]) -> tuple[float, float]:
    """The lower and the upper quartile; both are the value itself when there is one."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high
