"""The shipped starter draws patterns, landscapes and posters as asked: plain diffusers, held-out words, measured."""

import json

import numpy as np
import pytest

from toolkit.starter.asked import BESIDE_WORDS, MEASURES, asked_of
from toolkit.starter.evaluate import load_pipeline
from toolkit.starter.paths import FOLDER
from toolkit.starter.score_families import marks_of, tile_marks

CARD = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))
# Of eight pictures, so many must have every word right: far below the shares on the card, far above chance.
LEAST = 5


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline(FOLDER)


@pytest.mark.parametrize("family", MEASURES)
def test_most_pictures_follow_every_word(pipeline, family: str):
    assert family in CARD["families"], f"the card names no {family}"
    asked = asked_of(family, 8, 40_000, CARD)
    marks, pictures = marks_of(family, pipeline, asked, 70_000)
    assert len({picture.tobytes() for picture in pictures}) == 8
    whole = [all(value for name, value in right.items() if name not in BESIDE_WORDS) for right in marks]
    assert sum(whole) >= LEAST, [(text, right) for (_, text), right in zip(asked, marks, strict=True)]


def test_a_pattern_drawn_to_be_tiled_has_no_seam(pipeline):
    asked = asked_of("pattern", 4, 50_000, CARD)
    marks, pictures = tile_marks(pipeline, asked, 80_000)
    assert [right["no_seam"] for right in marks] == [True] * 4
    assert all(np.ptp(picture) > 60 for picture in pictures), "a plain picture has no seam either"
