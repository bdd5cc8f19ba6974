"""A request as asked becomes one that can be drawn, or a sentence that names the field and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit import GenerationRequest, RequestError, Sampling, Size, Written
from toolkit.models import ModelIndex
from toolkit.prepare import prepare
from toolkit.starts import Refine
from toolkit.styles import StyleLibrary

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def models() -> ModelIndex:
    return ModelIndex([ROOT / "models" / "checkpoints"])


@pytest.fixture(scope="module")
def styles(tmp_path_factory: pytest.TempPathFactory) -> StyleLibrary:
    folder = tmp_path_factory.mktemp("styles")
    (folder / "tests.toml").write_text(
        '[style.framed]\nname = "Framed"\ngroup = "Test"\ndescription = "A frame."\n'
        'prompt = "a frame around {prompt}"\nnegative = "blur"\n',
        encoding="utf-8",
    )
    return StyleLibrary([folder])


def test_nothing_is_left_open(models: ModelIndex, styles: StyleLibrary) -> None:
    ready = prepare(GenerationRequest(prompt="a red fish"), models, styles)
    assert ready.size == Size(256, 256) and ready.model == "limner-starter"
    assert ready.seed is not None and ready.sampling.steps > 0 and ready.sampling.guidance >= 1
    assert "auto" not in (ready.sampling.sampler, ready.sampling.schedule)


def test_preparing_twice_changes_nothing(models: ModelIndex, styles: StyleLibrary) -> None:
    once = prepare(GenerationRequest(prompt="a cat", styles=("framed",), seed=3), models, styles)
    assert prepare(once, models, styles) == once


def test_styles_are_applied_and_what_was_typed_is_kept(models: ModelIndex, styles: StyleLibrary) -> None:
    ready = prepare(GenerationRequest(prompt="a cat", negative="dog", styles=("framed",)), models, styles)
    assert ready.prompt == "a frame around a cat"
    assert ready.negative == "dog, blur"
    assert ready.written == Written("a cat", "dog", ("framed",)) and ready.styles == ()


def test_a_seed_is_drawn_when_none_is_given(models: ModelIndex, styles: StyleLibrary) -> None:
    asked = GenerationRequest(prompt="a cat")
    assert len({prepare(asked, models, styles).seed for _ in range(8)}) == 8


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        (GenerationRequest(), "prompt", "empty"),
        (GenerationRequest(prompt="  \n"), "prompt", "empty"),
        (GenerationRequest(prompt="x" * 10_001), "prompt", "10,001"),
        (GenerationRequest(prompt="a\x00cat"), "prompt", "control character"),
        (GenerationRequest(prompt="a cat", size=Size(250, 256)), "size", "248 × 256"),
        (GenerationRequest(prompt="a cat", size=Size(8, 8)), "size", "64 to 4096"),
        (GenerationRequest(prompt="a cat", size=Size(99_999_999, 1)), "size", "4096 × 64"),
        (GenerationRequest(prompt="a cat", sampling=Sampling(steps=0)), "sampling.steps", "1 to 150"),
        (GenerationRequest(prompt="a cat", sampling=Sampling(steps=10_000)), "sampling.steps", "10,000"),
        (GenerationRequest(prompt="a cat", sampling=Sampling(guidance=float("nan"))), "sampling.guidance", "nan"),
        (GenerationRequest(prompt="a cat", sampling=Sampling(guidance=-1)), "sampling.guidance", "-1"),
        (GenerationRequest(prompt="a cat", sampling=Sampling(guidance=float("inf"))), "sampling.guidance", "inf"),
        (GenerationRequest(prompt="a cat", sampling=Sampling("magic")), "sampling.sampler", "Euler a"),
        (GenerationRequest(prompt="a cat", sampling=Sampling("euler", "magic")), "sampling.schedule", "magic"),
        (GenerationRequest(prompt="a cat", count=0), "count", "1 to 16"),
        (GenerationRequest(prompt="a cat", count=10_000), "count", "10,000"),
        (GenerationRequest(prompt="a cat", seed=-1), "seed", "-1"),
        (GenerationRequest(prompt="a cat", seed=2**32 - 1, count=2), "seed", "4294967295"),
        (GenerationRequest(prompt="a cat", model="nobody"), "model", "limner-starter"),
        (GenerationRequest(prompt="a cat", model="../limner-starter"), "model", "no model"),
        (GenerationRequest(prompt="a cat", styles=("frame",)), "styles", "framed"),
        (GenerationRequest(prompt=None), "prompt", "must be text"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_drawn_is_refused(
    models: ModelIndex, styles: StyleLibrary, asked: GenerationRequest, field: str, words: str
) -> None:
    with pytest.raises(RequestError) as caught:
        prepare(asked, models, styles)
    assert caught.value.field == field
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_old_sampler_name_brings_its_schedule(models: ModelIndex, styles: StyleLibrary) -> None:
    asked = GenerationRequest(prompt="a cat", sampling=Sampling("DPM++ 2M Karras"))
    assert prepare(asked, models, styles).sampling.schedule == "karras"


def test_a_visitor_names_models_of_the_studio_only(models: ModelIndex, styles: StyleLibrary) -> None:
    folder = str(ROOT / "models" / "checkpoints" / "limner-starter")
    asked = GenerationRequest(prompt="a cat", model=folder)
    assert prepare(asked, models, styles, paths=True).model == folder
    with pytest.raises(RequestError, match="in this studio"):
        prepare(asked, models, styles, paths=False)


def test_a_gentle_second_pass_has_a_step_to_draw(models, styles):
    asked = GenerationRequest("a red fish", refine=Refine(1.5, strength=0.05)).with_(steps=8)
    found = prepare(asked, models, styles)
    assert found.refine == Refine(1.5, strength=0.05, steps=20)
    assert prepare(found, models, styles) == found
