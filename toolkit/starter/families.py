"""The families of pictures the starter draws, each with its words: things, patterns, landscapes and posters."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.starter import landscapes, patterns, posters
from toolkit.starter.captions import caption
from toolkit.starter.drawing import draw_scene
from toolkit.starter.palettes import PALETTES
from toolkit.starter.world import (
    BACKGROUNDS,
    COLOURS,
    GRAMMAR_WORDS,
    GROUNDS,
    PLACES,
    SIZES,
    STYLES,
    SUN,
    THINGS,
    Scene,
    sample_scene,
)

Subject = Scene | patterns.Pattern | landscapes.Landscape | posters.Poster

# Every slot a caption can fill. "none": the family has no such thing; "unsaid": left to chance.
CHOICES = {
    "family": ("thing", "pattern", "landscape", "poster"),
    "background": ("none", "unsaid", *COLOURS),
    "kind": ("none", *BACKGROUNDS),
    "ground": ("none", *GROUNDS),
    "style": ("none", *STYLES),
    "thing0": ("none", *THINGS),
    "colour0": ("none", "unsaid", *COLOURS),
    "thing1": ("none", *THINGS),
    "colour1": ("none", "unsaid", *COLOURS),
    "place": ("none", *PLACES, *SIZES),
    "line": ("none", *patterns.LINE_MOTIFS, "arc", "bar"),
    "repeat": ("none", *patterns.REPEATS),
    "scale": ("none", "big"),
    "palette": ("none", *PALETTES),
    "time": ("none", *landscapes.TIMES),
    "back": ("none", *landscapes.LAYERS),
    "front": ("none", *landscapes.LAYERS),
    "light": landscapes.LIGHTS,
    "calm": ("none", *posters.SIDES),
}
THING_SLOTS = ("background", "kind", "ground", "style", "thing0", "colour0", "thing1", "colour1", "place")
# The words of the families beyond those of things.
FAMILY_WORDS = (
    "pattern", "landscape", "poster", *patterns.LINE_MOTIFS, *patterns.REPEATS, *PALETTES, *landscapes.LAYERS,
    *landscapes.TIMES, "arc", "bar",
)  # fmt: skip
# Every word that means something in a caption, of all families.
WORDS = frozenset(
    itertools.chain(COLOURS, THINGS, BACKGROUNDS, STYLES, PLACES, SIZES, GRAMMAR_WORDS, (SUN,), FAMILY_WORDS)
)


@dataclass(frozen=True)
class Family:
    """How one kind of picture is chosen, drawn and said; `share` of what the denoiser is shown, in 0..1."""

    share: float
    sample: Callable[..., Any]
    draw: Callable[..., np.ndarray]
    say: Callable[[Any, random.Random], tuple[str, dict[str, str]]]


def _said(words: Callable[[Any, random.Random], str], meant: Callable[[Any], dict[str, str]]):
    return lambda subject, rng: (words(subject, rng), meant(subject))


def _simple(rng: random.Random, held: bool | None = False) -> Scene:
    """One flat thing on a plain background."""
    return sample_scene(rng, simple=True, held=held)


FAMILIES = {
    "simple": Family(0.12, _simple, draw_scene, caption),
    "thing": Family(0.34, sample_scene, draw_scene, caption),
    "pattern": Family(
        0.2, patterns.sample_pattern, patterns.draw_pattern,
        _said(patterns.pattern_caption, patterns.pattern_slots),
    ),
    "landscape": Family(
        0.19, landscapes.sample_landscape, landscapes.draw_landscape,
        _said(landscapes.landscape_caption, landscapes.landscape_slots),
    ),
    "poster": Family(
        0.15, posters.sample_poster, posters.draw_poster, _said(posters.poster_caption, posters.poster_slots)
    ),
}  # fmt: skip


def choose_family(rng: random.Random) -> str:
    """A family's name, as often as its share."""
    return rng.choices(tuple(FAMILIES), [family.share for family in FAMILIES.values()])[0]


def say(family: str, subject: Subject, rng: random.Random) -> tuple[str, dict[str, str]]:
    """A caption and what it says in every slot of CHOICES."""
    text, said = FAMILIES[family].say(subject, rng)
    return text, dict.fromkeys(CHOICES, "none") | {"family": "thing"} | said
