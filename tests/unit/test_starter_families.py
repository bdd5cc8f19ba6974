"""Patterns, landscapes and posters: drawn by rule, said in known words, and measured without a classifier."""

import random
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from toolkit.starter import landscapes, patterns, posters
from toolkit.starter.asked import BESIDE_WORDS, MEASURES, asked_of, word_counts
from toolkit.starter.card import FAMILY_SLOTS, build_card
from toolkit.starter.families import CHOICES, FAMILIES, choose_family, say
from toolkit.starter.landscapes import Landscape, draw_landscape
from toolkit.starter.measure_families import calm_side, in_palette, lab, landscape_words, pattern_words, seam
from toolkit.starter.palettes import PALETTES
from toolkit.starter.patterns import PERIODS, Pattern, draw_pattern, sample_pattern
from toolkit.starter.posters import Poster, draw_poster
from toolkit.starter.words import keep_known, unknown_words

CARD = build_card()
HEARTS = Pattern("heart", colour="red", background="white")


@pytest.mark.parametrize("family", FAMILIES)
def test_captions_say_their_subject_in_known_words(family: str) -> None:
    for seed in range(120):
        rng = random.Random(seed)
        text, said = say(family, FAMILIES[family].sample(rng), rng)
        assert unknown_words(text, CARD) == [], text
        assert keep_known(text, CARD).split() and set(said) == set(CHOICES)
        assert all(word in CHOICES[slot] for slot, word in said.items())


def test_people_may_ask_in_the_plural_and_by_other_names() -> None:
    asked = "A landscape with mountains in front of the ocean, sunset"
    assert keep_known(asked, CARD) == "a landscape with mountain in before of the sea, evening"
    assert keep_known("large wallpaper of Stars in candy colors", CARD) == "big pattern of star in candy colours"


def test_families_are_shown_by_their_shares() -> None:
    rng = random.Random(0)
    chosen = [choose_family(rng) for _ in range(3000)]
    for name, family in FAMILIES.items():
        assert abs(chosen.count(name) / 3000 - family.share) < 0.04


@pytest.mark.parametrize("family", MEASURES)
def test_the_measures_agree_with_the_drawings(family: str) -> None:
    asked = asked_of(family, 4, 5_000)
    drawn = [FAMILIES[family].draw(one, random.Random(seed)) for seed, (one, _) in enumerate(asked)]
    marks = [MEASURES[family](picture, one) for picture, (one, _) in zip(drawn, asked, strict=True)]
    assert all(value for right in marks for name, value in right.items() if name not in BESIDE_WORDS)
    assert sum(all(right.values()) for right in marks) >= 3
    counts = word_counts(family, asked, marks)
    assert counts and all(right == number for right, number in counts.values())


def test_the_measures_see_what_is_wrong() -> None:
    stars = draw_pattern(replace(HEARTS, motif="star"), random.Random(1))
    assert not pattern_words(stars, HEARTS)["motif"]
    assert not pattern_words(draw_pattern(HEARTS, random.Random(1)), replace(HEARTS, scale="big"))["scale"]
    asked = Landscape("evening", "mountain", "sea")
    turned = draw_landscape(replace(asked, back="sea", front="mountain"), random.Random(2))
    assert not landscape_words(turned, asked)["order"]
    assert calm_side(draw_poster(Poster("circle", "retro", "left"), random.Random(3))) == "left"
    assert in_palette(draw_poster(Poster("circle", "retro", "left"), random.Random(3)), "berry") < 0.9


@pytest.mark.parametrize("scale", PERIODS)
def test_drawn_patterns_tile_without_a_seam(scale: str) -> None:
    for seed in range(4):
        rng = random.Random(seed)
        pattern = replace(sample_pattern(rng), scale=scale)
        picture = draw_pattern(pattern, rng)
        assert seam(picture, pattern.period) < 1


def test_a_cut_pattern_has_a_seam() -> None:
    picture = draw_pattern(replace(HEARTS, scale="big"), random.Random(4))
    assert seam(np.roll(picture, 40, 1)[:, 20:], 128) > 4 or seam(picture[20:220, 20:220], 128) > 4


@pytest.mark.parametrize(("family", "module"), [("pattern", patterns), ("landscape", landscapes), ("poster", posters)])
def test_nothing_held_out_is_trained_on(family: str, module: ModuleType) -> None:
    for seed in range(200):
        assert not module.held_out(FAMILIES[family].sample(random.Random(seed)))
    assert all(module.held_out(FAMILIES[family].sample(random.Random(seed), held=True)) for seed in range(5))


def test_lightness_is_that_of_the_standard() -> None:
    assert np.allclose(lab(np.array([[255, 255, 255], [0, 0, 0]])), [[100, 0, 0], [0, 0, 0]], atol=0.1)
    assert np.allclose(lab(np.array([255, 0, 0])), [53.24, 80.09, 67.20], atol=0.2)


def test_the_card_names_what_each_family_may_be_asked_for() -> None:
    assert CARD["families"]["poster"]["form"] == list(FAMILY_SLOTS["poster"]["form"])
    assert CARD["palettes"] == list(PALETTES)
    weak = build_card({"forest", "woods"})
    assert "forest" not in weak["families"]["landscape"]["back"] and unknown_words("woods", weak) == ["woods"]
    assert "poster" not in build_card({"poster"})["families"]
