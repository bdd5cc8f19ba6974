"""What the families beside things are asked for in an evaluation, and which of it a picture follows."""

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from toolkit.starter.families import FAMILIES, Subject, say
from toolkit.starter.measure_families import (
    horizon_right,
    landscape_words,
    palette_right,
    pattern_words,
    period_right,
    poster_words,
)
from toolkit.starter.words import keep_known, unknown_words

# How many subjects are sampled for each that is wanted.
TRIES = 2000


def asked_of(
    family: str, count: int, first: int, card: Mapping[str, Any] | None = None, word: str | None = None
) -> list[tuple[Subject, str]]:
    """Held-out subjects from seed `first` on and their captions; with a card, only such as it has all words of.

    With a word, only subjects that have it: fewer than `count`, perhaps none, where hardly one is held out.
    """
    found: list[tuple[Subject, str]] = []
    last = first + TRIES * count
    while len(found) < count and first < last:
        rng = random.Random(first := first + 1)
        subject = FAMILIES[family].sample(rng, held=True)
        if word is not None and word not in asdict(subject).values():
            continue
        text = say(family, subject, rng)[0]
        if card is None or not unknown_words(text, card):
            found.append((subject, keep_known(text, card) if card else text))
    return found


def _pattern(picture: np.ndarray, asked: Any) -> dict[str, bool]:
    words = pattern_words(picture, asked)
    if asked.palette != "none":
        words["palette_near"] = palette_right(picture, asked.palette)
    return words | {"period": period_right(picture, asked)}


def _landscape(picture: np.ndarray, asked: Any) -> dict[str, bool]:
    return landscape_words(picture, asked) | {"horizon": horizon_right(picture, asked)}


def _poster(picture: np.ndarray, asked: Any) -> dict[str, bool]:
    return poster_words(picture, asked) | {"palette_near": palette_right(picture, asked.palette)}


MEASURES: dict[str, Callable[[np.ndarray, Any], dict[str, bool]]] = {
    "pattern": _pattern, "landscape": _landscape, "poster": _poster,
}  # fmt: skip
# What is measured beside the words themselves.
BESIDE_WORDS = ("period", "no_seam", "horizon", "palette_near")


def word_counts(family: str, asked: list[tuple[Any, str]], marks: list[dict[str, bool]]) -> dict[str, tuple[int, int]]:
    """How often each word's own measure was right, and how often it was asked for."""
    found: dict[str, list[bool]] = {}
    for (one, _), right in zip(asked, marks, strict=True):
        for slot, word in asdict(one).items():
            if word != "none" and slot in right:
                found.setdefault(word, []).append(right[slot])
    return {word: (sum(values), len(values)) for word, values in found.items()}
