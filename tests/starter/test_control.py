"""The lines ControlNet as anyone would load it: plain diffusers; and how lines are drawn and compared."""

import json
import random

import numpy as np
import pytest
from diffusers import ControlNetModel

from toolkit.starter.lines import canny, edge_f1, pair, recoloured, scribble
from toolkit.starter.score_control import LINES, evaluate_control
from toolkit.starter.world import Scene, Thing

SCENE = Scene((Thing("cat", "red"), Thing("cup", "blue")), "white", "ground", "green")


def test_the_folder_is_small_and_has_a_card():
    assert sum(path.stat().st_size for path in LINES.iterdir()) <= 8 * 1024 * 1024
    assert ControlNetModel.from_pretrained(LINES).config.conditioning_channels == 3
    card = json.loads((LINES / "card.json").read_text(encoding="utf-8"))
    assert {"title", "licence", "description", "made", "scores"} <= card.keys()


def test_other_colours_keep_the_lines():
    other = recoloured(SCENE, random.Random(1))
    assert [thing.kind for thing in other.things] == ["cat", "cup"]
    assert other.background != "white"
    assert all(a.colour != b.colour for a, b in zip(other.things, SCENE.things, strict=True))
    assert len({other.background, other.ground, *(thing.colour for thing in other.things)}) == 4
    picture, edges = pair(SCENE, 5, anywhere=False)
    assert edge_f1(canny(picture), edges) > 0.8


def test_f1_forgives_two_pixels_and_no_more():
    edges = np.zeros((64, 64), np.uint8)
    edges[10:50, 20] = 255
    assert edge_f1(edges, edges) == pytest.approx(1.0)
    assert edge_f1(np.roll(edges, 2, 1), edges) == pytest.approx(1.0)
    assert edge_f1(np.roll(edges, 3, 1), edges) == 0.0
    assert edge_f1(np.zeros_like(edges), edges) == 0.0


def test_a_scribble_is_thick_and_near_its_lines():
    _, edges = pair(SCENE, 5, anywhere=True)
    drawn = scribble(edges, np.random.default_rng(2))
    assert set(np.unique(drawn)) == {0, 255}
    assert (drawn > 0).sum() > 1.8 * (edges > 0).sum()


def test_lines_are_followed_and_colours_are_the_prompts():
    values = evaluate_control(count=8)["lines"]
    assert values["f1_on"] >= 0.65
    assert values["f1_off"] <= 0.45
    assert values["colour"] >= 0.6
