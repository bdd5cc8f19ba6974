"""Wildcards: seeded, and every mistake is a sentence in little time."""

import time
from pathlib import Path

import pytest

from toolkit.errors import RequestError
from toolkit.plugins import calls
from toolkit.request import GenerationRequest

FOLDER = Path(__file__).resolve().parent.parent


def expanded(plugins, text, seed=1):
    return calls.prepare(plugins, GenerationRequest(text, seed=seed)).prompt


def test_the_seed_decides(load_plugin):
    plugins = load_plugin(FOLDER)
    texts = [expanded(plugins, "{red|blue|green} __thing__", seed) for seed in range(20)]
    assert texts == [expanded(plugins, "{red|blue|green} __thing__", seed) for seed in range(20)]
    assert len(set(texts)) > 10
    assert not any(set("{|}_") & set(text) for text in texts)


def test_what_is_no_choice_stays_as_it_is(load_plugin):
    plugins = load_plugin(FOLDER)
    for text in ("a red fish", "(red:1.2) [fish] <lora:ink:0.8>, snake_case"):
        assert expanded(plugins, text) == text
    assert expanded(plugins, "{a} (red:1.2) <lora:ink:0.8>") == "a (red:1.2) <lora:ink:0.8>"


def test_a_persons_list_comes_first(load_plugin, plugin_data):
    (plugin_data / "wildcards").mkdir()
    (plugin_data / "wildcards" / "colour.txt").write_text("ultramarine\n", "utf-8")
    plugins = load_plugin(FOLDER)
    assert expanded(plugins, "__colour__ x") == "ultramarine x"
    assert expanded(plugins, "__background__ x") in ("plain x", "gradient x", "striped x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a", "can't be read"),
        ("__nope__", "no wildcard “nope”; there are background, colour, thing"),
        ("__../../etc/passwd__", "no wildcard"),
        ("{" * 60 + "a" + "}" * 60, "nested too deep"),
        ("{a|b}" * 300, "300 braces"),
    ],
)
def test_a_mistake_is_a_sentence(load_plugin, text, said):
    plugins = load_plugin(FOLDER)
    expanded(plugins, "{a|b}")  # the parser is imported
    began = time.perf_counter()
    with pytest.raises(RequestError, match=said):
        expanded(plugins, text)
    assert time.perf_counter() - began < 5
