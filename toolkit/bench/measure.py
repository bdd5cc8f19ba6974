"""Timing two ways of doing the same thing, in turns, so that a busy machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Result:
    """A scenario's outcome; `value` is what `aim` bounds from above, `spread` the quartiles of the single runs."""

    scenario: str
    value: float
    aim: float
    unit: str
    ours_s: float
    peer_s: float
    runs: int
    spread: tuple[float, float]
    conditions: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "value": round(self.value, 4),
            "aim": self.aim,
            "ours_s": round(self.ours_s, 4),
            "peer_s": round(self.peer_s, 4),
            "runs": self.runs,
            "spread": [round(edge, 4) for edge in self.spread],
            **self.conditions,
        }

    def line(self) -> str:
        """One line for a person."""
        verdict = "reached" if self.value <= self.aim else "missed"
        low, high = self.spread
        return (
            f"{self.scenario}: {self.value:.3f}{self.unit} (quartiles {low:.3f} to {high:.3f}), aim ≤ {self.aim:g}"
            f"{self.unit} {verdict}; ours {self.ours_s:.3f} s, peer {self.peer_s:.3f} s, {self.runs} runs"
        )


def in_turns(ours: Callable[[int], Any], peer: Callable[[int], Any], runs: int) -> tuple[list[float], list[float]]:
    """Seconds of `runs` calls of each, one after the other, the first one changing; each call gets its number."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(runs):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            began = time.perf_counter()
            (ours, peer)[which](number)
            seconds[which].append(time.perf_counter() - began)
    return seconds


def quartiles(values: list[float]) -> tuple[float, float]:
    """The lower and the upper quartile; both are the value itself when there is one."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high
