"""Two ways of drawing the same, in turns in one run: how many times as fast, or as long, one is as the other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

from toolkit.bench.measure import Pair, Result, conditions, gain, in_turns, quartiles

Draw = Callable[[int], Any]
Learned = Callable[[], Mapping[str, Any]]


def times_as_fast(
    scenario: str, ours: Draw, peer: Draw, *, aim: float, runs: int, precision: Any, learned: Learned = dict
) -> Result:  # fmt: skip
    """How many times as many pictures a second ours draws, at least `aim`; each run draws equally many on both sides.

    `learned` is asked after the runs for what the number depends on; the processor's time is compared as well.
    """
    processor: Pair = ([], [])
    ours_s, peer_s = in_turns(ours, peer, runs, processor)
    values = [theirs / mine for mine, theirs in zip(ours_s, peer_s, strict=True)]
    known = {**conditions(precision), "processor_gain": gain(processor), **learned()}
    return _result(scenario, values, aim, ours_s, peer_s, known, at_least=True)


def times_as_long(
    scenario: str, ours: Draw, peer: Draw, *, aim: float, runs: int, precision: Any, learned: Learned = dict
) -> Result:  # fmt: skip
    """How many times as long ours takes, at most `aim`."""
    ours_s, peer_s = in_turns(ours, peer, runs)
    values = [mine / theirs for mine, theirs in zip(ours_s, peer_s, strict=True)]
    return _result(scenario, values, aim, ours_s, peer_s, {**conditions(precision), **learned()}, at_least=False)


def _result(
    scenario: str, values: list[float], aim: float, ours_s: list[float], peer_s: list[float],
    known: dict[str, Any], at_least: bool,
) -> Result:  # fmt: skip
    return Result(
        scenario=scenario,
        value=statistics.median(values),
        aim=aim,
        unit=" ×",
        ours_s=statistics.median(ours_s),
        peer_s=statistics.median(peer_s),
        runs=len(values),
        spread=quartiles(values),
        conditions=known,
        at_least=at_least,
    )
