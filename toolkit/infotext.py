"""Generation settings as text in the form of AUTOMATIC1111's web UI, which every site and tool reads.

    <prompt, may be many lines>
    Negative prompt: <may be many lines; absent when empty>
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x768, Model: name, Version: …

A value that holds a comma, a colon or a line break is quoted as JSON; where a value equals its key, only the key is
written. The form can't tell a line of the prompt that begins with "Negative prompt:" from the real one and drops the
spaces around lines; where that matters, `infotext` adds the key "Prompt lengths" with the characters of both texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import toolkit
from toolkit.errors import MetadataError
from toolkit.further_settings import written
from toolkit.loras import tags
from toolkit.recall import request_of
from toolkit.request import GenerationRequest
from toolkit.samplers import find_sampler, find_schedule

MAX_CHARACTERS = 1_000_000
FEWEST_SETTINGS = 3
NEGATIVE = "Negative prompt:"
LENGTHS = "Prompt lengths"

_KEY = re.compile(r"\w[\w \-/]{1,99}")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])*"')
_TELLING = {"Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model", "Model hash", "Version"}


def infotext(request: GenerationRequest, facts: Mapping[str, Any]) -> str:
    """The text for `request`; `facts` may hold "model_hash". Settings that are still open are left out."""
    prompt, negative = _writable(request.prompt + tags(request.loras)), _writable(request.negative)
    settings = _settings(request, facts)
    text = _joined(prompt, negative, settings).strip()
    if split_infotext(text)[:2] == (prompt, negative):
        return text
    return _joined(prompt, negative, {**settings, LENGTHS: f"{len(prompt)}/{len(negative)}"})


def parse_infotext(text: str) -> tuple[GenerationRequest, list[str]]:
    """The request that `text` describes, and a sentence for each thing in it that was not understood.

    Reads what Limner, A1111, Forge and the sites that imitate them write, with the old "DPM++ 2M Karras" names. What
    is missing stays open ("auto", None). Raises MetadataError for text without any settings, and for values that no
    picture can have.
    """
    prompt, negative, settings = split_infotext(text)
    if not (prompt or negative or settings):
        raise MetadataError("The settings in this picture are empty.")
    if not settings:
        only_words = ["There are only words in this picture's settings; everything else keeps its usual value."]
        return GenerationRequest(prompt=prompt, negative=negative), only_words
    request, notes = request_of(settings)
    return request.with_(prompt=prompt, negative=negative), notes


def split_infotext(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and the settings by their keys; none of them where the last line doesn't hold any.

    Linear in the length of the text, whatever stands in it. Raises MetadataError for more than `MAX_CHARACTERS`.
    """
    if len(text) > MAX_CHARACTERS:
        raise MetadataError(
            f"The settings in this picture have {len(text):,} characters; Limner reads at most {MAX_CHARACTERS:,}."
        )
    text = text.replace("\0", "")
    words, _, last = text.rstrip().rpartition("\n")
    settings = dict(_pairs(last))
    if len(settings) < FEWEST_SETTINGS or not _TELLING & settings.keys():
        words, settings = text, {}
    exact = _by_length(words, settings.pop(LENGTHS, ""))
    return (*(exact or _by_lines(words)), settings)


def _by_lines(words: str) -> tuple[str, str]:
    prompt: list[str] = []
    negative: list[str] = []
    into = prompt
    for line in map(str.strip, words.strip().split("\n")):
        into = negative if line.startswith(NEGATIVE) else into
        text = line.removeprefix(NEGATIVE).strip() if into is negative else line
        # Empty lines are only dropped at the beginning of either text, as A1111 does.
        if into or text:
            into.append(text)
    return "\n".join(prompt), "\n".join(negative)


def _by_length(words: str, lengths: str) -> tuple[str, str] | None:
    """None unless `words` are exactly a prompt and a negative prompt of these lengths."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", lengths)
    if not found:
        return None
    prompt, rest = words[: int(found[1])], words[int(found[1]) :]
    before = f"\n{NEGATIVE} " if int(found[2]) else ""
    negative = rest[len(before) :]
    fits = len(prompt) == int(found[1]) and rest.startswith(before) and len(negative) == int(found[2])
    return (prompt, negative) if fits else None


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """The `key: value` pairs; a scanner, because A1111's regular expression takes hours on hostile lines."""
    at, quotes_close = 0, True
    while (colon := line.find(":", at)) >= 0:
        *bare, key = line[at:colon].split(",")
        yield from ((word.strip(), word.strip()) for word in bare if word.strip() in _TELLING)
        start = colon + 1
        while start < len(line) and line[start] == " ":
            start += 1
        quoted = _QUOTED.match(line, start) if quotes_close and line.startswith('"', start) else None
        if line.startswith('"', start) and quoted is None:
            quotes_close = False
        end = line.find(",", quoted.end() if quoted else start)
        end = len(line) if end < 0 else end
        if _KEY.fullmatch(key.strip()):
            yield key.strip(), _unquoted(quoted[0]) if quoted else line[start:end].strip()
        at = end + 1
    yield from ((word.strip(), word.strip()) for word in line[at:].split(",") if word.strip() in _TELLING)


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def _joined(prompt: str, negative: str, settings: Mapping[str, Any]) -> str:
    last = ", ".join(
        key if key == str(value) else f"{key}: {_quoted(str(value))}"
        for key, value in settings.items() if value is not None
    )  # fmt: skip
    return "\n".join([prompt, *([f"{NEGATIVE} {negative}"] if negative else []), last])


def _quoted(value: str) -> str:
    """Besides what A1111 quotes: a value that would otherwise lose the spaces or quotes at its ends."""
    plain = not re.search(r"[,:\r\n]", value) and value == value.strip() and not value.startswith('"')
    return value if plain and value else json.dumps(value, ensure_ascii=False)


def _settings(request: GenerationRequest, facts: Mapping[str, Any]) -> dict[str, Any]:
    sampling = request.sampling
    return {
        "Steps": sampling.steps,
        "Sampler": None if sampling.sampler == "auto" else find_sampler(sampling.sampler)[0].label,
        "Schedule type": "Automatic" if sampling.schedule == "auto" else find_schedule(sampling.schedule).label,
        "CFG scale": None if sampling.guidance is None else _number(sampling.guidance),
        "Seed": request.seed,
        "Size": f"{request.size.width}x{request.size.height}" if request.size else None,
        "Model hash": facts.get("model_hash"),
        "Model": _writable(request.model),
        **written(request),
        "Version": f"Limner {toolkit.__version__}",
    }


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _writable(text: str) -> str:
    """Without what no text in a picture can hold: zeros, and halves of characters outside Unicode's first plane."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
