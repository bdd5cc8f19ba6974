"""The ControlNets as anyone would load them: plain diffusers; and how lines and depth are drawn and compared."""

import json
import random

import numpy as np
import pytest
from diffusers import ControlNetModel

from toolkit.starter.depth import (
    NIGHT_SKYLINES,
    anywhere,
    borders,
    colours_right,
    depth_map,
    draw_pair,
    estimated,
    layers_seen,
)
from toolkit.starter.landscapes import Landscape, draw_landscape, draw_with_depth, held_out
from toolkit.starter.lines import canny, edge_f1, pair, recoloured, scribble
from toolkit.starter.score_control import SCORED, control_folder, evaluate_control
from toolkit.starter.world import Scene, Thing

SEA = Landscape("night", "mountain", "sea", "moon")
SCENE = Scene((Thing("cat", "red"), Thing("cup", "blue")), "white", "ground", "green")


@pytest.mark.parametrize("kind", SCORED)
def test_the_folder_is_small_and_has_a_card(kind):
    folder = control_folder(kind)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8 * 1024 * 1024
    assert ControlNetModel.from_pretrained(folder).config.conditioning_channels == 3
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
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


def test_depth_is_exactly_that_of_the_drawing():
    picture, layers = draw_with_depth(SEA, random.Random(3))
    assert (picture == draw_landscape(SEA, random.Random(3))).all()
    assert edge_f1(borders(layers_seen(picture, SEA)), borders(layers)) > 0.95
    assert colours_right(picture, SEA, layers)
    assert not colours_right(draw_landscape(Landscape("day", "hill", "forest"), random.Random(3)), SEA, layers)


def test_depth_is_light_where_it_is_near():
    depth = depth_map(SEA, layers := draw_with_depth(SEA, random.Random(3))[1])
    assert (depth[layers == 0] == 0).all()
    assert len(np.unique(depth[layers == 1])) == 1
    sea = [int(np.median(row[mask])) for row, mask in zip(depth, layers == 2, strict=True) if mask.all()]
    assert sea == sorted(sea)
    assert sea[-1] > int(depth[layers == 1].max()) > 0


def test_depth_is_learned_from_no_held_out_landscape_and_from_many_skylines_at_night():
    shown = [draw_pair(seed)[0] for seed in range(60)]
    assert not any(held_out(landscape) for landscape in shown)
    nights = [one for one in shown if one.time == "night" and "skyline" in (one.back, one.front)]
    assert len(nights) > 60 * NIGHT_SKYLINES


def test_an_estimators_depth_keeps_the_order():
    layers = draw_with_depth(
        hills := Landscape("day", "hill", "forest"), random.Random(3), anywhere(SEA, random.Random(3))
    )[1]
    for seed in range(20):
        seen = estimated(depth_map(hills, layers), np.random.default_rng(seed)).astype(float)
        sky, back, front = (seen[layers == number].mean() for number in range(3))
        assert sky < back < front


def test_lines_are_followed_and_colours_are_the_prompts():
    values = evaluate_control(count=8, kinds=("lines",))["lines"].values
    assert values["f1_on"] >= 0.65
    assert values["f1_off"] <= 0.45
    assert values["colour"] >= 0.6


def test_depth_is_followed_and_colours_are_the_prompts():
    values = evaluate_control(count=8, kinds=("depth",))["depth"].values
    assert values["f1_on"] >= 0.65
    assert values["f1_off"] <= 0.35
    assert values["colour"] >= 0.6
