"""What a denoiser is told of the texts: embeddings for every pipeline, in the names that pipelines take them by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, eq=False)
class Conditioning:
    """One text: `embeds` (1, tokens, channels) and, for families that use it, `pooled` (1, channels), in float32."""

    embeds: torch.Tensor
    pooled: torch.Tensor | None = None

    def repeated(self, length: int) -> Conditioning:
        """The same text at a multiple of its length: attention over a text and over it twice is the same."""
        return Conditioning(self.embeds.repeat(1, length // self.embeds.shape[1], 1), self.pooled)


def between(start: Conditioning, end: Conditioning, part: float) -> Conditioning:
    """The conditioning `part` of the way from one text to another, at their least common length."""
    length = math.lcm(start.embeds.shape[1], end.embeds.shape[1])
    start, end = start.repeated(length), end.repeated(length)
    pooled = None if start.pooled is None or end.pooled is None else torch.lerp(start.pooled, end.pooled, part)
    return Conditioning(torch.lerp(start.embeds, end.embeds, part), pooled)


@dataclass(frozen=True, eq=False)
class ConditioningPair:
    """Prompt and negative prompt at one length."""

    positive: Conditioning
    negative: Conditioning

    @classmethod
    def of(cls, positive: Conditioning, negative: Conditioning) -> ConditioningPair:
        """Both at their least common length, so that a pipeline can set one under the other."""
        length = math.lcm(positive.embeds.shape[1], negative.embeds.shape[1])
        return cls(positive.repeated(length), negative.repeated(length))

    def pipeline_arguments(self, number: int, device: torch.device | str) -> dict[str, Any]:
        """What a diffusers pipeline takes in place of texts, for `number` pictures."""
        given = {
            "prompt_embeds": self.positive.embeds,
            "negative_prompt_embeds": self.negative.embeds,
            "pooled_prompt_embeds": self.positive.pooled,
            "negative_pooled_prompt_embeds": self.negative.pooled,
        }
        return {
            name: value.to(device).repeat(number, *(1,) * (value.dim() - 1))
            for name, value in given.items()
            if value is not None
        }
