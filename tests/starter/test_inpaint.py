"""Inpainting and image to image on the base with plain diffusers pipelines."""

import json

import numpy as np
import pytest

from toolkit.starter.evaluate import judge_pictures, load_pipeline
from toolkit.starter.paths import FOLDER
from toolkit.starter.score_inpaint import border_step, repaint, repaints, strengths_ordered
from toolkit.starter.score_negative import draw_without, named_colours

CARD = json.loads((FOLDER / "card.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline(FOLDER)


def test_the_box_covers_the_thing_in_whole_cells():
    for one in repaints(6, CARD, first=7):
        left, top, right, bottom = one.box
        assert all(value % 8 == 0 for value in one.box)
        outside = np.abs(one.picture.astype(int) - one.empty).max(-1)
        outside[top:bottom, left:right] = 0
        assert outside.max() <= 3


def test_a_thing_is_replaced_and_nothing_else_changes(pipeline):
    wanted = repaints(8, CARD, first=7)
    pictures = repaint(pipeline, wanted, first=7)
    for one, picture in zip(wanted, pictures, strict=True):
        left, top, right, bottom = one.box
        changed = (picture != one.picture).any(-1)
        changed[top:bottom, left:right] = False
        assert not changed.any()
    verdicts = judge_pictures(pictures, [(one.scene, one.text) for one in wanted])
    assert sum(verdict.whole for verdict in verdicts) >= 5
    assert np.median([border_step(picture, one) for one, picture in zip(wanted, pictures, strict=True)]) <= 6


def test_more_strength_changes_more(pipeline):
    ordered, _ = strengths_ordered(pipeline, CARD, 8, first=7)
    assert sum(ordered) >= 6


def test_a_negative_prompt_keeps_a_colour_away(pipeline):
    colours = named_colours(draw_without(pipeline, "a fish", "blue", list(range(8))))
    assert colours.count("blue") <= 2
