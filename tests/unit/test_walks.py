"""Walks: each picture's request says where on its way it stands."""

import pytest

from toolkit.errors import RequestError
from toolkit.request import GenerationRequest
from toolkit.starts import Variation
from toolkit.walks import between_prompts, between_seeds, take_walk

ASKED = GenerationRequest("a red fish", seed=3, count=4)


def test_a_walk_between_seeds_is_a_row_of_variations():
    walk = list(between_seeds(ASKED, 9, 3))
    assert [one.variation for one in walk] == [Variation(9, part) for part in (0.0, 0.5, 1.0)]
    assert {(one.count, one.seed) for one in walk} == {(1, 3)}


def test_a_walk_between_prompts_stands_in_the_prompt():
    walk = list(between_prompts(ASKED, "a blue star", 3))
    assert walk[1].prompt == "a red fish <walk:a blue star:0.5>"
    assert take_walk(walk[1].prompt) == ("a red fish", "a blue star", 0.5)
    assert take_walk("a fish") == ("a fish", None, 0.0)


@pytest.mark.parametrize("prompt", ["a <walk:b:2>", "a <walk:b:x>", "a <walk:b:0.1> <walk:c:0.2>"])
def test_a_walk_that_cannot_be_read_is_refused(prompt):
    with pytest.raises(RequestError, match="a number from 0 to 1"):
        take_walk(prompt)


def test_a_walk_has_at_least_two_pictures():
    with pytest.raises(RequestError, match="from 2 to 240"):
        list(between_seeds(ASKED, 9, 1))
    with pytest.raises(RequestError, match="tags"):
        list(between_prompts(ASKED, "b <lora:x>", 3))
