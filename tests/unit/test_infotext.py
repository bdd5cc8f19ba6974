"""A1111's text form: written exactly, read from anybody, in linear time."""

from __future__ import annotations

import random
import time

import pytest

import toolkit
from toolkit.errors import MetadataError
from toolkit.geometry import Size
from toolkit.infotext import infotext, parse_infotext, split_infotext
from toolkit.recall import with_upscaler
from toolkit.request import GenerationRequest, Sampling
from toolkit.samplers import SAMPLERS
from toolkit.starts import FromImage, FromText, Inpaint, Outpaint, Refine, Variation

REQUEST = GenerationRequest(
    prompt="a red fish, flat style", negative="blurry", size=Size(512, 768), seed=965400086,
    sampling=Sampling("dpmpp_2m", "karras", 20, 7.0),
)  # fmt: skip

WEIRD = [
    "",
    "one line",
    "two\nlines",
    "\n\nempty lines around\n\n",
    "  spaces around  ",
    "trailing space \nin a line",
    "Negative prompt: at the beginning",
    "a sign that says\nNegative prompt: no",
    "in one line Negative prompt: no",
    "Steps: 1, Sampler: Euler, Seed: 2, Size: 1x1",
    "words\nSteps: 1, Sampler: Euler, Seed: 2, Model: other, Version: v1.10.1",
    "words\nPrompt lengths: 3/4, Steps: 1, Seed: 2",
    'commas, colons: and "quotes" \\ "',
    "tabs\tand\r\nWindows\rlines",
    "emoji 🦊👩‍👩‍👧 and 日本語 and عربى",
    "(weights:1.2) [a|b] <lora:x:0.5> BREAK AND {x}",
    "<script>alert(1)</script> ${x} {{x}}",
    "é" * 4000,
    "word, " * 700,
]


def test_is_exactly_what_a1111_writes() -> None:
    assert infotext(REQUEST, {"model_hash": "45dee52b12", "dtype": "float32"}) == (
        "a red fish, flat style\n"
        "Negative prompt: blurry\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 965400086, Size: 512x768, "
        f"Model hash: 45dee52b12, Model: limner-starter, Version: Limner {toolkit.__version__}"
    )


def test_leaves_out_what_is_not_known() -> None:
    text = infotext(GenerationRequest("a cat", sampling=Sampling("euler_a", guidance=5.25)), {})
    assert text == (
        "a cat\nSampler: Euler a, Schedule type: Automatic, CFG scale: 5.25, "
        f"Model: limner-starter, Version: Limner {toolkit.__version__}"
    )


@pytest.mark.parametrize(
    ("model", "written"),
    [
        ("my, model", 'Model: "my, model"'),
        (r"C:\models\fine", r'Model: "C:\\models\\fine"'),
        ('"quoted"', r'Model: "\"quoted\""'),
        (" spaced ", 'Model: " spaced "'),
        ("two\nlines", r'Model: "two\nlines"'),
        ("Model", ", Model, Version"),
        ("", 'Model: ""'),
        ("plain (v1.5) – ü", "Model: plain (v1.5) – ü,"),
    ],
)
def test_quotes_values_as_a1111_does_and_reads_them_back(model: str, written: str) -> None:
    text = infotext(REQUEST.with_(model=model), {})
    assert written in text
    assert split_infotext(text)[2]["Model"] == model


@pytest.mark.parametrize("prompt", WEIRD)
@pytest.mark.parametrize("negative", WEIRD)
def test_any_words_come_back(prompt: str, negative: str) -> None:
    request = REQUEST.with_(prompt=prompt, negative=negative)
    assert parse_infotext(infotext(request, {})) == (request, [])


def test_the_plain_form_is_kept_where_it_is_enough() -> None:
    for prompt in ("one line", "two\nlines", "in one line Negative prompt: no", 'commas, colons: and "quotes"'):
        assert "Prompt lengths" not in infotext(REQUEST.with_(prompt=prompt), {})
    assert "Prompt lengths: 29/6" in infotext(REQUEST.with_(prompt="a sign\nNegative prompt: a dog"), {})


def test_random_requests_come_back() -> None:
    chance = random.Random(7)
    pieces = [*'ab ,:"\\\n\r\t()🦊é', "Negative prompt:", "Steps: 3", "Model", "Prompt lengths: 1/2"]
    for _ in range(400):
        sampler = chance.choice(SAMPLERS)
        request = GenerationRequest(
            prompt="".join(chance.choices(pieces, k=chance.randrange(20))),
            negative="".join(chance.choices(pieces, k=chance.randrange(12))),
            model=chance.choice(["limner-starter", "x, y", "Model", "a: b", '"'])
            + "".join(chance.choices(pieces, k=chance.randrange(4))),
            size=Size(chance.randrange(8, 5000), chance.randrange(8, 5000)),
            seed=chance.randrange(2**32),
            sampling=Sampling(
                sampler.name, chance.choice(["auto", *sampler.schedules]), chance.randrange(1, 151),
                chance.choice([1.0, 7.0, chance.uniform(1, 30), round(chance.uniform(1, 30), 2)]),
            ),
        )  # fmt: skip
        assert parse_infotext(infotext(request, {"model_hash": "0123456789"})) == (request, [])


def test_zeros_and_half_characters_are_left_out_of_the_text() -> None:
    text = infotext(REQUEST.with_(prompt="a\0b\ud800c"), {})
    text.encode("utf-8")
    assert parse_infotext(text)[0].prompt == "ab?c"


FOREIGN = {
    "old name with the schedule inside": (
        "a cat\nNegative prompt: dog\nSteps: 20, Sampler: DPM++ 2M Karras, Seed: 1, Size: 512x512, Model: m",
        GenerationRequest("a cat", "dog", "m", Size(512, 512), Sampling("dpmpp_2m", "karras", 20), seed=1),
        [],
    ),
    "many extras": (
        'a cat\nSteps: 20, Sampler: Euler a, Schedule type: Automatic, Seed: -1, Model: m, Clip skip: 2, TI: "a: 0"',
        GenerationRequest("a cat", "", "m", None, Sampling("euler_a", "auto", 20, clip_skip=2)),
        ["Limner doesn't use these settings of the picture: TI."],
    ),
    "a sampler and a schedule that are not here": (
        "a cat\nSteps: 20, Sampler: DPM adaptive, Schedule type: Align Your Steps, CFG scale: 7, Model: m",
        GenerationRequest("a cat", model="m", sampling=Sampling("auto", "auto", 20, 7.0)),
        [
            "There is no sampler “DPM adaptive” here; the model's usual one takes its place.",
            "There is no schedule “Align Your Steps” here; the sampler's usual one takes its place.",
        ],
    ),
    "a schedule that the sampler can't follow": (
        "a cat\nSteps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Model: m",
        GenerationRequest("a cat", model="m", sampling=Sampling("euler_a", "auto", 20, 7.0)),
        ["Euler a can't follow the Karras schedule here; its usual one takes its place."],
    ),
    "values that are none": (
        "a cat\nSteps: many, Sampler: DDIM, CFG scale: nan, Seed: 1e5, Size: big, Model: m",
        GenerationRequest("a cat", model="m", sampling=Sampling("ddim", "auto")),
        [
            "The size “big” is not of the form 512x768; the usual size takes its place.",
            "“Seed” is “1e5” in this picture, which is not a whole number; the usual value takes its place.",
            "“Steps” is “many” in this picture, which is not a whole number; the usual value takes its place.",
            "“CFG scale” is “nan” in this picture, which is not a number; the usual value takes its place.",
        ],
    ),
    "a model known by its hash only": (
        "a cat\nSteps: 20, Sampler: DDIM, Model hash: 6ce0161689",
        GenerationRequest("a cat", sampling=Sampling("ddim", "auto", 20)),
        ["The model is only named by its hash, 6ce0161689."],
    ),
    "only words": (
        "a cat\non a mat",
        GenerationRequest("a cat\non a mat"),
        ["There are only words in this picture's settings; everything else keeps its usual value."],
    ),
    "words that look like settings": (
        "ratio: 1, light: 2, mood: 3",
        GenerationRequest("ratio: 1, light: 2, mood: 3"),
        ["There are only words in this picture's settings; everything else keeps its usual value."],
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_reads_what_others_write_and_says_what_it_did_not_understand(name: str) -> None:
    text, request, notes = FOREIGN[name]
    assert parse_infotext(text) == (request, notes)


LINE = "a cat\nSampler: DDIM, Model: m, "


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "are empty"),
        (" \n ", "are empty"),
        (LINE + "Size: 99999999x1", "99999999 × 1 pixels; each side must be 1 to 16,384"),
        (LINE + "Size: 0x512", "0 × 512 pixels"),
        (LINE + "Steps: 0", "steps in this picture is 0; it must be from 1 to 10,000"),
        (LINE + "Steps: 99999999", "steps in this picture is 99999999"),
        (LINE + "CFG scale: -7", "guidance .* is -7.0"),
        (LINE + "Seed: -2", "seed in this picture is -2"),
        (LINE + "Seed: " + "9" * 200, "seed in this picture is 9{39}…; it must"),
        ("x" * 1_000_001, "have 1,000,001 characters; Limner reads at most 1,000,000"),
    ],
)
def test_values_that_no_picture_can_have_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(MetadataError, match=sentence) as refused:
        parse_infotext(text)
    assert len(str(refused.value)) < 200 and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        " " * 900_000,
        "word " * 180_000,
        "a:" * 450_000,
        'a: "' * 220_000,
        'a: "\\' * 180_000,
        "key: value, " * 75_000,
        "".join(f"key {number}: {number}, " for number in range(20_000)),
        ",:" * 450_000,
        '"' * 900_000,
    ],
    ids=["spaces", "words", "colons", "open quotes", "escapes", "pairs", "20,000 keys", "commas", "quotes"],
)
def test_hostile_lines_take_no_time(line: str) -> None:
    started = time.perf_counter()
    request, notes = parse_infotext("a cat\nSteps: 20, Sampler: DDIM, Model: m, " + line)
    assert time.perf_counter() - started < 20, "quadratic time would be hours"
    assert sum(map(len, notes)) < 2000
    assert request.prompt.startswith("a cat")


def test_twenty_thousand_keys_are_one_short_sentence() -> None:
    many = ", ".join(f"key {number}: {number}" for number in range(20_000))
    _, notes = parse_infotext(f"a cat\nSteps: 20, Sampler: DDIM, Model: m, {many}")
    listed = ", ".join(f"key {number}" for number in range(8))
    assert notes == [f"Limner doesn't use these settings of the picture: {listed} and 19,992 more."]


SHA = "0123456789abcdef" * 4
FURTHER = {
    "refined, varied, tiled": GenerationRequest(
        "a fish", model="m", tile="x", variation=Variation(7, 0.25), refine=Refine(1.5, "latent", 0.6, 12),
        sampling=Sampling("ddim", "normal", 20, 7.0, eta=0.5, clip_skip=2, rescale=0.7), seed=3, size=Size(512, 512),
    ),
    "refined by a plugin's upscaler": GenerationRequest(
        "a fish", model="m", refine=Refine(2.0, "4x, sharp: best", 0.4, 9), sampling=Sampling("ddim", "normal", 20, 7),
    ),
    "refined in the usual way": GenerationRequest(
        "a fish", model="m", refine=Refine(), sampling=Sampling("ddim", "normal", 20, 7.0), seed=3, size=Size(512, 512)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FURTHER)
def test_further_settings_survive_as_text(name: str) -> None:
    request = FURTHER[name]
    assert parse_infotext(infotext(request, {})) == (request, [])


@pytest.mark.parametrize(
    ("written", "name"),
    [("Latent (bicubic antialiased)", "latent"), ("None", "lanczos"), ("LANCZOS", "lanczos"), ("R-ESRGAN 4x+",) * 2],
)
def test_the_upscaler_of_a_second_pass_keeps_its_name_or_has_ours(written: str, name: str) -> None:
    hires = f"Denoising strength: 0.5, Hires upscale: 2, Hires upscaler: {written}"
    request, notes = parse_infotext(f"a cat\nSteps: 20, Sampler: DDIM, Model: m, {hires}")
    assert (request.refine.upscaler, notes) == (name, [])
    assert with_upscaler(request, ("lanczos", "latent", "r-esrgan 4X+")) == (
        request if name != "R-ESRGAN 4x+" else request.with_(refine=Refine(2.0, "r-esrgan 4X+", 0.5)), []
    )  # fmt: skip


def test_an_upscaler_that_is_not_here_is_named_in_one_sentence() -> None:
    request = GenerationRequest("a fish", refine=Refine(2.0, "blocks", 0.4))
    known, notes = with_upscaler(request, ("lanczos", "latent"))
    assert known == request.with_(refine=Refine(2.0, "lanczos", 0.4))
    assert notes == [
        "This picture was enlarged by “blocks” before its second pass, which is not here; Lanczos takes its place."
    ]
    assert with_upscaler(GenerationRequest("a fish"), ()) == (GenerationRequest("a fish"), [])


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (FromImage(SHA, 0.4), "Denoising strength: 0.4"),
        (
            Inpaint(SHA, SHA, 0.9, 6, "masked", 24, "noise"),
            "Mask blur: 6, Masked content: latent noise, Inpaint area: Only masked, Masked area padding: 24",
        ),
        (Outpaint(SHA, right=64), "Denoising strength: 1, Outpainting: left 0 top 0 right 64 bottom 0"),
    ],
)
def test_a_start_is_told_and_its_picture_missed(start, text: str) -> None:
    request = GenerationRequest("a fish", model="m", start=start, sampling=Sampling("ddim", "normal", 20, 7.0), seed=3)
    said = infotext(request, {})
    assert text in said
    read, notes = parse_infotext(said)
    assert read.start == FromText()
    assert notes == ["This picture began with another picture, which is not stored in it: choose that one again."]
