"""What of a denoiser's inputs can be set under one another: the rows of several jobs as one call.

Rows of a batch never see each other inside a denoiser, so that a row's prediction is the same alone and in company,
up to the order in which sums are rounded. A class without rules here is called for one job at a time.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from diffusers import UNet2DConditionModel

_RESIDUALS = ("down_block_additional_residuals", "mid_block_additional_residual")
# Texts are repeated to a common length; beyond so many tokens that costs more than a call of its own.
_LONGEST_TEXT = 77 * 12


@dataclass(frozen=True, eq=False)
class Inputs:
    """One job's rows for a denoiser.

    `sample` is (rows, channels, height, width), `timestep` (rows,) in float32, `text` (rows, tokens, channels);
    `others` are the keyword arguments that are not None; `steering` is what ControlNets do to the rows, which is done
    when the rows of all jobs are together.
    """

    sample: torch.Tensor
    timestep: torch.Tensor
    text: torch.Tensor
    others: Mapping[str, Any] = field(default_factory=dict)
    steering: tuple[Any, ...] = ()

    @property
    def rows(self) -> int:
        return self.sample.shape[0]


class Rules(Protocol):
    """How the inputs of one class of denoiser are joined."""

    def signature(self, inputs: Inputs) -> Hashable | None:
        """Inputs of equal signature can be joined; None can't be joined with anything."""

    def join(self, parts: Sequence[Inputs]) -> Inputs:
        """Inputs of equal signature as one, in order."""

    def cut(self, inputs: Inputs, first: int, last: int) -> Inputs:
        """The rows from `first` up to `last`."""


class UNetRules:
    """Rules for `UNet2DConditionModel`: Stable Diffusion 1 and 2, SDXL, with and without ControlNet."""

    def signature(self, inputs: Inputs) -> Hashable | None:
        known = {"added_cond_kwargs", "timestep_cond", *_RESIDUALS}
        added = inputs.others.get("added_cond_kwargs", {})
        if set(inputs.others) - known or not all(isinstance(value, torch.Tensor) for value in added.values()):
            return None
        return (
            tuple(inputs.sample.shape[1:]),
            inputs.text.shape[2],
            tuple(sorted((name, tuple(value.shape[1:])) for name, value in added.items())),
            "timestep_cond" in inputs.others,
            # Repeating a text changes nothing only when it stays affordable: very long texts keep to their own length.
            inputs.text.shape[1] if inputs.text.shape[1] > _LONGEST_TEXT // 4 else 0,
        )

    def join(self, parts: Sequence[Inputs]) -> Inputs:
        if len(parts) == 1:
            return parts[0]
        length = math.lcm(*(part.text.shape[1] for part in parts))
        others: dict[str, Any] = _residuals(parts)
        if "added_cond_kwargs" in parts[0].others:
            named = [part.others["added_cond_kwargs"] for part in parts]
            others["added_cond_kwargs"] = {name: torch.cat([one[name] for one in named]) for name in named[0]}
        if "timestep_cond" in parts[0].others:
            others["timestep_cond"] = torch.cat([part.others["timestep_cond"] for part in parts])
        return Inputs(
            torch.cat([part.sample for part in parts]),
            torch.cat([part.timestep for part in parts]),
            torch.cat([part.text.repeat(1, length // part.text.shape[1], 1) for part in parts]),
            others,
        )

    def cut(self, inputs: Inputs, first: int, last: int) -> Inputs:
        return rows_of(inputs, slice(first, last))


def rows_of(inputs: Inputs, which: slice | list[int]) -> Inputs:
    """Some rows of a denoiser's inputs as inputs of their own."""

    def part(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value[which]
        if isinstance(value, Mapping):
            return {name: part(one) for name, one in value.items()}
        return tuple(part(one) for one in value)

    return replace(
        inputs,
        sample=part(inputs.sample),
        timestep=part(inputs.timestep),
        text=part(inputs.text),
        others={name: part(value) for name, value in inputs.others.items()},
    )


def rules_for(denoiser: Any) -> Rules | None:
    """The rules of a denoiser's class; None for a class that has none."""
    return UNetRules() if isinstance(denoiser, UNet2DConditionModel) else None


def _residuals(parts: Sequence[Inputs]) -> dict[str, Any]:
    """What ControlNets add, with zeros for the rows of jobs that have none."""
    down, middle = _RESIDUALS
    example = next((part for part in parts if down in part.others), None)
    if example is None:
        return {}
    shapes = (*example.others[down], example.others[middle])
    joined = tuple(torch.cat([_residual(part, place, shape) for part in parts]) for place, shape in enumerate(shapes))
    return {down: joined[:-1], middle: joined[-1]}


def _residual(part: Inputs, place: int, like: torch.Tensor) -> torch.Tensor:
    if _RESIDUALS[0] in part.others:
        return (*part.others[_RESIDUALS[0]], part.others[_RESIDUALS[1]])[place]
    return like.new_zeros((part.rows, *like.shape[1:]))
