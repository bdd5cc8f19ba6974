"""The starter's card.json: what the studio reads about the model without loading it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.starter.families import WORDS
from toolkit.starter.landscapes import LAYERS, LIGHTS, TIMES
from toolkit.starter.palettes import PALETTES
from toolkit.starter.patterns import MOTIFS, PERIODS, REPEATS
from toolkit.starter.posters import FORMS, SIDES
from toolkit.starter.world import (
    BACKGROUNDS,
    COLOURS,
    GROUNDS,
    IGNORED,
    PLACES,
    SIZES,
    STYLES,
    SYNONYMS,
    THINGS,
)  # fmt: skip

# These stand for what goes unsaid; "pastel" misses by shades in one of ten pictures, and a style card needs it.
ALWAYS = ("plain", "flat", "grid", "day", "pastel")
# What each family beside things can be asked for, by the names of its own measures.
FAMILY_SLOTS = {
    "pattern": {"motif": MOTIFS, "repeat": REPEATS, "scale": tuple(word for word in PERIODS if word != "none")},
    "landscape": {"back": LAYERS, "front": LAYERS, "time": TIMES, "light": tuple(w for w in LIGHTS if w != "none")},
    "poster": {"form": FORMS, "calm": SIDES},
}
# The first dozen are the studio's examples; all are on the contact sheet. Each prompt with its seed.
EXAMPLES = {
    "a red circle on a white background": 1,
    "a landscape with mountains behind a lake, sun on the right, in the evening": 3,
    "a pattern of red hearts on a pink background": 3,
    "a poster of arcs in retro colours with space at the top": 4,
    "a blue star, yellow background": 2,
    "a flat red heart on black": 3,
    "a yellow moon on a blue background, at night": 4,
    "a purple cat on a pink background": 5,
    "a green tree and a red house on green ground under a blue sky": 6,
    "an orange fish on a teal background": 7,
    "a white boat on a blue gradient background": 8,
    "a pink flower on a white striped background": 9,
    "a teal cup on a brown background, pastel style": 10,
    "a red heart next to a blue star on a white background": 11,
    "a yellow car on gray ground under a blue sky": 12,
    "a small black circle on a yellow background": 13,
    "a purple triangle on a yellow background, outline style": 14,
    "a big orange star on a purple background": 15,
    "a black cat on an orange background": 16,
    "a brown house on white ground under a pink sky": 17,
    "a teal car beside a pink cup on white": 18,
    "a checkered pattern of stars in candy colours": 19,
    "zigzag pattern, autumn palette": 20,
    "a morning landscape with hills behind a forest and a sun on the left": 2,
    "a landscape with forest behind the sea, in the evening": 22,
    "a poster of circles in mint colours, space on the left": 23,
    "a poster of triangles in desert colours with space at the bottom": 24,
}


def build_card(
    dropped: set[str] = frozenset(), families: Mapping[str, Mapping[str, Sequence[str]]] = FAMILY_SLOTS
) -> dict[str, Any]:
    """The card without examples, scores and previews, and without the `dropped` words and their synonyms.

    `families` names what each family beside things may be asked for.
    """
    synonyms = {synonym: word for synonym, word in SYNONYMS.items() if word not in dropped}
    kept = WORDS - dropped - ({"sky"} if "ground" in dropped else set())

    def remaining(group) -> list[str]:
        return [word for word in group if word not in dropped]

    return {
        "title": "Limner starter",
        "family": "sd1",
        "licence": "Apache-2.0",
        "native_size": [256, 256],
        "size_multiple": 8,
        "defaults": {"sampler": "ddim", "steps": 20, "guidance": 1.7, "schedule": "normal"},
        # Stronger guidance repaints a picture wholly at any strength; a stronger second pass draws its things twice.
        "rework_guidance": 1.1,
        "refine_strength": 0.05,
        # What is asked for with one of these words has latents whose borders meet already.
        "wrapping_words": ["pattern"],
        "known_words": sorted({*kept, *synonyms}),
        "ignored_words": list(IGNORED),
        "things": remaining(THINGS),
        "colours": remaining(COLOURS),
        "backgrounds": remaining(BACKGROUNDS),
        "grounds": remaining(GROUNDS) if "ground" not in dropped else [],
        "styles": remaining(STYLES),
        "places": remaining(PLACES),
        "sizes": remaining(SIZES),
        "palettes": remaining(PALETTES),
        "families": {
            family: {slot: remaining(words) for slot, words in slots.items()}
            for family, slots in families.items()
            if family not in dropped
        },
        "synonyms": synonyms,
    }


def write_card(card: dict[str, Any], folder: Path) -> None:
    """Writes card.json."""
    (folder / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
