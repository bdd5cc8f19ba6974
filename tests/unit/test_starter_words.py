"""The starter's words: what a prompt keeps, what it loses, and the grammar that teaches them. No torch."""

import random
import subprocess
import sys

import pytest

from toolkit.starter.captions import caption, noun_index, slots
from toolkit.starter.card import EXAMPLES, build_card
from toolkit.starter.drawing import draw_scene
from toolkit.starter.measure import HALVES, WHOLE, background_right, placed_right, thing_colour
from toolkit.starter.words import keep_known, unknown_words
from toolkit.starter.world import COLOURS, THINGS, held_out, sample_scene

CARD = build_card()


@pytest.mark.parametrize(
    ("prompt", "unknown", "kept"),
    [
        ("a red circle on a white background, flat style", [], "a red circle on a white background, flat style"),
        ("A majestic (cat:1.2) with Crimson fur, 8k", ["majestic", "fur", "8k"], "a (cat:1.2) with red"),
        ("two red stars, (wizard:1.3), blue background", ["two", "wizard"], "red star, blue background"),
        ("a navy-and-gold house", [], "a blue-and-yellow house"),
        ("((red heart)) on [[grey]] background", [], "((red heart)) on [[gray]] background"),
        ("boxes, houses and daisies.", [], "square, house and flower"),
        ("(dragon castle:1.1), a red circle", ["dragon", "castle"], "a red circle"),
        ("wizard", ["wizard"], ""),
        ("", [], ""),
        ("wizard, Wizard; wizards", ["wizard", "wizards"], ""),
    ],
)
def test_unknown_words_are_named_and_left_out(prompt, unknown, kept):
    assert unknown_words(prompt, CARD) == unknown
    assert keep_known(prompt, CARD) == kept


def test_a_prompt_of_known_words_is_kept_as_it_is_and_twice_is_once():
    for prompt in EXAMPLES:
        assert unknown_words(prompt, CARD) == []
        assert keep_known(keep_known(prompt, CARD), CARD) == keep_known(prompt, CARD)


def test_a_dropped_word_is_unknown_with_its_synonyms():
    card = build_card({"cup"})
    assert unknown_words("a red cup and a mug", card) == ["cup", "mug"]
    assert "cup" not in card["things"]


def test_captions_say_their_scene_in_known_words():
    rng = random.Random(3)
    for _ in range(300):
        scene = sample_scene(rng)
        text, said = caption(scene, rng)
        assert unknown_words(text, CARD) == []
        assert {slot: word for slot, word in said.items() if word != "unsaid"}.items() <= slots(scene).items()
        assert len(noun_index(text.replace(",", " ,").split())) == len(scene.things)


def test_training_never_shows_a_held_out_combination():
    rng = random.Random(4)
    for _ in range(500):
        scene = sample_scene(rng)
        assert not any(held_out(thing.kind, thing.colour, scene.background) for thing in scene.things)
    shares = [held_out(kind, colour, back) for kind in THINGS for colour in COLOURS for back in COLOURS]
    assert 0.07 < sum(shares) / len(shares) < 0.13


def test_the_measure_agrees_with_the_drawing():
    wrong = 0
    for seed in range(60):
        rng = random.Random(seed)
        scene = sample_scene(rng, held=None)
        picture = draw_scene(scene, rng)
        windows = HALVES if len(scene.things) == 2 else (WHOLE,)
        wrong += not background_right(picture, scene)
        wrong += len(scene.things) == 1 and not placed_right(picture, scene)
        wrong += sum(thing_colour(picture, scene, w) != t.colour for w, t in zip(windows, scene.things, strict=True))
    assert wrong <= 2


def test_words_and_commands_import_no_torch():
    modules = "toolkit.starter.words, toolkit.starter.cli, toolkit.starter.card"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
