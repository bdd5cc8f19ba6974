"""What a model's card says it can draw, as words to choose from."""

from __future__ import annotations

import json

from toolkit.starter.words import unknown_words
from toolkit.studio import ROOT
from webui.vocabulary import vocabulary

CARD = json.loads((ROOT / "models" / "checkpoints" / "limner-starter" / "card.json").read_text("utf-8"))


def test_every_word_that_can_be_chosen_is_known_as_it_stands_in_the_prompt() -> None:
    groups = vocabulary(CARD)
    for group in groups:
        for _, phrase in group["words"]:
            assert list(unknown_words(f"a red fish {phrase}", CARD)) == [], phrase
    shown = {word for group in groups for word, _ in group["words"]}
    assert {*CARD["things"], *CARD["colours"], *CARD["palettes"], *CARD["families"]} <= shown


def test_things_come_first_and_each_family_has_its_example() -> None:
    groups = {group["title"]: group for group in vocabulary(CARD)}
    assert next(iter(groups)) == "Things"
    for name in CARD["families"]:
        assert name in groups[f"{name.capitalize()}s"]["example"]["prompt"].split()
    assert not set(groups["Things"]["example"]["prompt"].split()) & set(CARD["families"])


def test_a_model_without_a_list_of_words_has_none() -> None:
    assert vocabulary({"title": "Paper"}) == []
