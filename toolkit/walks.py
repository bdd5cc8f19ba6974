"""Walks: rows of pictures from one to another, between two seeds or between two prompts.

A step towards another prompt stands in the prompt itself, `a red fish <walk:a blue bird:0.4>`, so that each picture
of a walk says how it was drawn and can be drawn again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolkit.errors import RequestError
from toolkit.request import GenerationRequest
from toolkit.starts import Variation

MOST_FRAMES = 240
_TAG = re.compile(r"\s*<walk:([^<>]{1,2000}):([^<>:]{1,20})>")


def between_seeds(request: GenerationRequest, seed: int, frames: int) -> Iterator[GenerationRequest]:
    """`frames` requests from the request's own seed to `seed`, by spherical steps through the noise between them."""
    for part in _parts(frames):
        yield request.with_(count=1, variation=Variation(seed, part))


def between_prompts(request: GenerationRequest, prompt: str, frames: int) -> Iterator[GenerationRequest]:
    """`frames` requests from the request's own prompt to another, by even steps between what the model reads."""
    if re.search(r"[<>]", prompt):
        raise RequestError("prompt", "The prompt to walk to can't hold < or >: leave tags to the first prompt.")
    for part in _parts(frames):
        yield request.with_(count=1, prompt=f"{request.prompt} <walk:{prompt}:{part:.4g}>")


def take_walk(prompt: str) -> tuple[str, str | None, float]:
    """The prompt without its walk, the prompt it leads to or None, and how far it has gone, 0 to 1.

    Raises RequestError for a walk that can't be read, or for two.
    """
    found = _TAG.findall(prompt)
    if not found:
        return prompt, None, 0.0
    text = _TAG.sub("", prompt)
    try:
        part = float(found[0][1])
    except ValueError:
        part = -1.0
    if len(found) > 1 or not 0 <= part <= 1:
        raise RequestError("prompt", "A walk is written once, as <walk:another prompt:0.4>, with a number from 0 to 1.")
    return text, found[0][0].strip(), part


def _parts(frames: int) -> Iterator[float]:
    if not 2 <= frames <= MOST_FRAMES:
        raise RequestError("frames", f"A walk of {frames} pictures won't work: choose from 2 to {MOST_FRAMES}.")
    return (round(frame / (frames - 1), 6) for frame in range(frames))
