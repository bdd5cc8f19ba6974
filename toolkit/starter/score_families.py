"""Scores patterns, landscapes and posters on combinations and seeds that training never saw."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from diffusers import StableDiffusionPipeline

from toolkit.engine.tiling import tiled
from toolkit.starter.asked import BESIDE_WORDS, MEASURES, asked_of
from toolkit.starter.evaluate import draw, wilson
from toolkit.starter.measure_families import pattern_words, seam
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import Score, write_sheet

FIRST_SEED = EVALUATION_SEED + 20_000_000
COUNTS = (80, 16)
# A seam is one that the eye finds: over four pixels across the border, neighbours differ by more than four each.
SEAM = 16.0


def marks_of(
    family: str, pipeline: StableDiffusionPipeline, asked: list[tuple[Any, str]], first: int
) -> tuple[list[dict[str, bool]], list[np.ndarray]]:
    """What was right in each picture, and the pictures."""
    pictures = draw(pipeline, [text for _, text in asked], list(range(first, first + len(asked))))
    return [MEASURES[family](picture, one) for picture, (one, _) in zip(pictures, asked, strict=True)], pictures


def tile_marks(
    pipeline: StableDiffusionPipeline, asked: list[tuple[Any, str]], first: int
) -> tuple[list[dict[str, bool]], list[np.ndarray]]:
    """What is right in patterns decoded with convolutions that wrap around, to be tiled: the words, and no seam."""
    with tiled(pipeline.vae, "xy"):
        pictures = draw(pipeline, [text for _, text in asked], list(range(first, first + len(asked))))
    marks = []
    for picture, (one, _) in zip(pictures, asked, strict=True):
        right = all(pattern_words(picture, one).values())
        marks.append({"tile": right, "no_seam": seam(picture, one.period) <= SEAM})
    return marks, pictures


def _requests(card: Mapping[str, Any], count: int) -> Iterator[tuple[str, int, list[tuple[Any, str]]]]:
    """Each family that the card knows, its first seed, and what is asked for."""
    for number, family in enumerate(MEASURES):
        if family in card["known_words"]:
            first = FIRST_SEED + 100_000 * number
            yield family, first, asked_of(family, count, first, card)


def combinations(card: Mapping[str, Any]) -> dict[str, int]:
    """How many different subjects are among the prompts of each family; the others are asked for again."""
    return {family: len({subject for subject, _ in asked}) for family, _, asked in _requests(card, COUNTS[False])}


def evaluate_families(
    pipeline: StableDiffusionPipeline, card: Mapping[str, Any], quick: bool = False, sheets: Path | None = None
) -> Score:
    """Shares of pictures in which each thing is right, named "pattern.motif" and so on; "pattern.all" is every word.

    "pattern.tile" and "pattern.no_seam" are of patterns drawn to be tiled. Families the card doesn't know are left out.
    """
    score, count = Score({}), COUNTS[quick]
    for family, first, asked in _requests(card, count):
        marks, pictures = marks_of(family, pipeline, asked, first)
        for right in marks:
            right["all"] = all(value for name, value in right.items() if name not in BESIDE_WORDS)
        tiles: list[np.ndarray] = []
        if family == "pattern":
            tile, tiles = tile_marks(pipeline, asked[: count // 2], first)
            marks = marks + tile
        for name in dict.fromkeys(name for right in marks for name in right):
            values = [right[name] for right in marks if name in right]
            score.values[f"{family}.{name}"] = round(sum(values) / len(values), 4)
            score.intervals[f"{family}.{name}"] = wilson(sum(values), len(values))
        if sheets:
            shown = [*tiles[:8], *pictures][:24]
            rows = [shown[start : start + 8] for start in range(0, len(shown), 8)]
            write_sheet(rows, [family], sheets / f"starter-{family}s.png")
    return score
