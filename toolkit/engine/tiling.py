"""Pictures that repeat without a seam: convolutions that see the opposite edge where the picture ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import conv2d, pad


@contextmanager
def tiled(module: torch.nn.Module, axes: str) -> Iterator[None]:
    """While it lasts, every padded convolution of `module` wraps around in x, in y or both; `axes` "" changes nothing.

    It changes a module that is everybody's: enter it only where no other job's call can come between.
    """
    convolutions = [one for one in module.modules() if isinstance(one, torch.nn.Conv2d) and any(one.padding)]
    for one in convolutions if axes else ():
        one._conv_forward = _wrapping(one, axes)
    try:
        yield
    finally:
        for one in convolutions if axes else ():
            del one._conv_forward


def wraps_itself(prompt: str, card: Mapping[str, Any]) -> bool:
    """Whether the model draws what is asked for so that its borders meet, and only decoding has to wrap around.

    Its card then names a word of the prompt among `wrapping_words`, such as the starter's "pattern".
    """
    words = set(re.findall(r"[^\W_]+", prompt.lower()))
    known = {*card.get("wrapping_words", ())}
    return bool(words & {*known, *(f"{word}s" for word in known)})


def _wrapping(convolution: torch.nn.Conv2d, axes: str) -> Any:
    vertical, horizontal = convolution.padding

    def forward(values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        values = pad(values, (horizontal, horizontal, 0, 0), mode="circular" if "x" in axes else "constant")
        values = pad(values, (0, 0, vertical, vertical), mode="circular" if "y" in axes else "constant")
        return conv2d(values, weight, bias, convolution.stride, 0, convolution.dilation, convolution.groups)

    return forward
