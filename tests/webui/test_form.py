"""The form's table: what is read is what was filled in, for every field of a request."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from toolkit.adapters import ControlUse, LoraUse
from toolkit.errors import RequestError
from toolkit.finishing import FinishStep
from toolkit.geometry import Size
from toolkit.request import GenerationRequest, Sampling, Written
from toolkit.starts import FromImage, FromText, Inpaint, Outpaint, Refine, Variation
from webui.form import HIDDEN, NAMES, TABLE, as_asked, fill, read

ROOT = Path(__file__).resolve().parents[2]
SHA, MASK = "0123456789abcdef" * 4, "f" * 64
STARTS = [
    FromText(), FromText(), FromImage(SHA), FromImage(SHA, strength=0.35, resize="stretch"), Inpaint(SHA, MASK),
    Inpaint(SHA, MASK, strength=0.8, feather=0, area="masked", padding=64, fill="noise"), Outpaint(SHA, left=64),
    Outpaint(SHA, top=8, right=16, bottom=128, feather=2, fill="original"),
]  # fmt: skip
TEXTS = ["", "a red fish", "two\nlines, ü 漢字 🐟", "(a:1.2) [b|c] \\( {x} ${y}", ' "quoted" ']


def anything(chance: random.Random) -> GenerationRequest:
    return GenerationRequest(
        prompt=chance.choice(TEXTS),
        negative=chance.choice(TEXTS),
        model=chance.choice(["limner-starter", "Some Model 1.5"]),
        size=chance.choice([None, Size(chance.randrange(1, 5000), chance.randrange(1, 5000))]),
        sampling=Sampling(
            sampler=chance.choice(["auto", "euler_a"]),
            schedule=chance.choice(["auto", "karras"]),
            steps=chance.choice([None, chance.randrange(1, 200)]),
            guidance=chance.choice([None, 7, 7.5, chance.random() * 30]),
            eta=chance.choice([None, 0, 0.5]),
            clip_skip=chance.choice([None, 1, 2]),
            rescale=chance.choice([0.0, 0.7]),
        ),
        count=chance.randrange(1, 17),
        seed=chance.choice([None, 0, chance.randrange(2**63)]),
        styles=tuple(chance.sample(["ink", "flat-card", "größer", "a,b"], chance.randrange(4))),
        start=chance.choice(STARTS),
        variation=chance.choice([None, Variation(7), Variation(0, strength=0.05)]),
        tile=chance.choice(["", "x", "y", "xy"]),
        refine=chance.choice([None, Refine(), Refine(scale=1.5, upscaler="latent", strength=0.6, steps=12)]),
        loras=chance.choice([(), (LoraUse("ink ü"), LoraUse("b", weight=0.4, text_weight=0.0, start=0.2, end=0.8))]),
        controls=chance.choice([(), (ControlUse("canny", SHA, options={"low": 100}, preprocessor="canny"),)]),
        draft=chance.choice([False, True]),
        finish=chance.choice([(), (FinishStep("grain", {"amount": 0.2}), FinishStep("vector"))]),
        extras=chance.choice([{}, {"freeu": {"on": True, "b1": 1.2}}]),
    )


def test_what_is_filled_in_is_read_again() -> None:
    chance = random.Random(3)
    for _ in range(500):
        request = anything(chance)
        values = fill(request)
        assert tuple(values) == NAMES
        assert all(isinstance(value, str) for value in values.values())
        assert read(values) == request


def test_every_field_of_a_request_has_its_place_in_the_form() -> None:
    elsewhere = {"sampling", "written"}
    plain = {f.name for f in fields(GenerationRequest)} - elsewhere
    inner = {f"sampling.{f.name}" for f in fields(Sampling)}
    assert {link.field for link in TABLE} == plain | inner
    assert set(HIDDEN) < set(NAMES)


def test_a_resolved_request_fills_in_what_was_typed() -> None:
    typed = Written("a fish", "birds", ("ink",))
    resolved = GenerationRequest("a fish, ink drawing", "birds, photo", size=Size(256, 256), seed=7, written=typed)
    asked = read(fill(resolved))
    assert asked == as_asked(resolved)
    assert (asked.prompt, asked.negative, asked.styles, asked.seed) == ("a fish", "birds", ("ink",), 7)


@pytest.mark.parametrize(
    ("name", "value", "field", "named"),
    [
        ("steps", "abc", "sampling.steps", "abc"),
        ("steps", "2.5", "sampling.steps", "2.5"),
        ("steps", "1e400", "sampling.steps", "1e400"),
        ("guidance", "nan", "sampling.guidance", "nan"),
        ("guidance", "7.5.1", "sampling.guidance", "7.5.1"),
        ("seed", "9" * 5000, "seed", "999"),
        ("count", "four", "count", "four"),
        ("width", "512", "size", "height"),
        ("height", "512px", "size", "512px"),
        ("styles", "{", "styles", "{"),
        ("styles", "[1]", "styles", "[1]"),
        ("start", "{", "start", "{"),
        ("start", '{"kind": "dream"}', "start", "dream"),
        ("start", '{"kind": "image", "image": ""}', "start.image", "Choose"),
        ("start", f'{{"kind": "inpaint", "image": "{SHA}", "mask": ""}}', "start.mask", "Paint"),
        ("start", f'{{"kind": "outpaint", "image": "{SHA}"}}', "start", "side"),
        ("variation_strength", "0.3", "variation.seed", "variation seed"),
        ("clip_skip", "1.5", "sampling.clip_skip", "1.5"),
        ("refine", '{"scale": "big"}', "refine.scale", "big"),
        ("loras", "7", "loras", "list"),
    ],
)
def test_a_wrong_value_is_named_at_its_field(name: str, value: str, field: str, named: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(fill(GenerationRequest()) | {name: value})
    assert caught.value.field == field
    assert named in str(caught.value)
    assert len(str(caught.value)) < 200


def test_numbers_may_be_written_as_people_write_them() -> None:
    found = read(fill(GenerationRequest()) | {"guidance": " 7,5 ", "steps": "+20", "count": "", "width": None})
    assert (found.sampling.guidance, found.sampling.steps, found.count, found.size) == (7.5, 20, 1, None)


def test_the_form_needs_neither_gradio_nor_torch() -> None:
    code = "import sys, webui.form; print([m for m in ('gradio', 'torch', 'diffusers') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert answer.stdout.strip() == "[]", answer.stderr
