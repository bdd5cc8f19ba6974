"""Which LoRAs a job has, how strong each is at a step, and how a batch of jobs with different ones is predicted.

While all rows of a call have the same LoRAs, these are merged into the weights, which costs nothing a step. Rows with
different ones share a call through gates: y = W x + B (g ⊙ (A x)) with the LoRAs of all rows in A and B, and in g each
row's own weights. Weights are always merged anew from a copy that nobody changes, so that a LoRA leaves no trace.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from toolkit.engine.adapters.lora import Lora, module_of
from toolkit.engine.adapters.naming import Place

Weights = tuple[tuple[Lora, float], ...]


@dataclass(frozen=True, eq=False)
class Use:
    """One LoRA of a job, with its weights and the part of the steps in which it works."""

    lora: Lora
    weight: float
    text_weight: float
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True, eq=False)
class LoraSet:
    """The LoRAs of one job, as its seat hands them to the coalescer."""

    uses: tuple[Use, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.uses)

    def at(self, progress: float) -> Weights:
        """The LoRAs of the denoiser at this part of the steps, in an order that equal sets share."""
        now = [(use.lora, use.weight) for use in self.uses if use.start <= progress < max(use.end, use.start + 1e-6)]
        return tuple(sorted((one for one in now if one[1]), key=lambda one: (one[0].name, id(one[0]))))

    @property
    def apart(self) -> Hashable:
        """What keeps jobs out of a common call: None when gates can tell their rows apart."""
        if all(use.lora.gateable for use in self.uses):
            return None
        whole = all(use.start <= 0 and use.end >= 1 for use in self.uses)
        # What works in a part of the steps only differs between jobs that are at different steps.
        return tuple((id(use.lora), use.weight) for use in self.uses), None if whole else id(self)

    @property
    def text_key(self) -> Hashable:
        """Which change of the text encoders this is; None for none."""
        reading = tuple((id(use.lora), use.text_weight) for use in self.uses if use.lora.reads and use.text_weight)
        return reading or None


class LoraSwitch:
    """Puts LoRAs into one denoiser and takes them out again; called by the denoiser's thread alone."""

    def __init__(self, components: Any) -> None:
        self._components = components
        self._pristine: dict[Place, torch.Tensor] = {}
        self._merged: Weights = ()
        self._before: Weights = ()
        self._stacks = Stacks(components)

    @contextmanager
    def around(self, calls: Sequence[Any]) -> Iterator[None]:
        """Surround a joined call: merge what all of its rows have, or gate what only some have."""
        if not self._merged and not any(call.adapters for call in calls):
            yield
            return
        wanted = [(call.adapters or LoraSet()).at(call.progress) for call in calls]
        same = all(_equal(one, wanted[0]) for one in wanted[1:])
        if same and self._worth(wanted[0], calls):
            self.merge(wanted[0])
        self._before = wanted[0] if same else ()
        if same and _equal(wanted[0], self._merged):
            yield
            return
        self.merge(())
        with self._stacks.gated(wanted, [call.rows for call in calls]):
            yield

    def merge(self, weights: Weights) -> None:
        """Make the denoiser's weights those of the pristine copy with exactly these LoRAs."""
        if _equal(weights, self._merged):
            return
        touched = {place for lora, _ in (*weights, *self._merged) for place in lora.layers if place[0] == "unet"}
        for place in touched:
            weight = module_of(self._components, place).weight
            pristine = self._pristine.get(place)
            if pristine is None:
                pristine = self._pristine[place] = weight.detach().clone()
            weight.data.copy_(_with(pristine, place, weights))
        self._merged = weights
        if not weights:
            self._pristine.clear()

    def _worth(self, weights: Weights, calls: Sequence[Any]) -> bool:
        """Merging costs as much as some steps with gates: not for a set that the next call takes out again."""
        alone = self._components.coalescer.running <= 1 or any(call.turn.exact for call in calls)
        ungated = not all(lora.gateable for lora, _ in weights)
        return alone or ungated or _equal(weights, self._before)


@contextmanager
def reading(components: Any, loras: LoraSet) -> Iterator[None]:
    """While it lasts the text encoders have the job's LoRAs; entered behind the text encoders' lock only."""
    weights = [(use.lora, use.text_weight) for use in loras.uses if use.lora.reads and use.text_weight]
    places = {place for lora, _ in weights for place in lora.layers if place[0] != "unet"}
    kept = {place: module_of(components, place).weight.detach().clone() for place in places}
    try:
        for place, pristine in kept.items():
            module_of(components, place).weight.data.copy_(_with(pristine, place, weights))
        yield
    finally:
        for place, pristine in kept.items():
            module_of(components, place).weight.data.copy_(pristine)


def _with(pristine: torch.Tensor, place: Place, weights: Sequence[tuple[Lora, float]]) -> torch.Tensor:
    """A weight with LoRAs, summed in float32; the weight itself, bit for bit, when none of them has this layer."""
    own = [(lora.layers[place], weight) for lora, weight in weights if place in lora.layers]
    if not own:
        return pristine
    result = pristine.float()
    for layer, weight in own:
        result = layer.merged(result, weight)
    return result.to(pristine.dtype)


def _equal(one: Weights, other: Weights) -> bool:
    return [(id(lora), weight) for lora, weight in one] == [(id(lora), weight) for lora, weight in other]


@dataclass(frozen=True, eq=False)
class Stack:
    """What several LoRAs do to one module, under one another: B (g ⊙ (A x)) with `inner` A and `outer` B."""

    module: torch.nn.Module
    loras: Sequence[Lora]
    ranks: Sequence[int]
    inner: torch.Tensor
    outer: torch.Tensor


class Stacks:
    """The stacks of the LoRAs that shared the latest gated call, ready on the device for the next one."""

    def __init__(self, components: Any) -> None:
        self._components = components
        self._loras: list[Lora] = []
        self._stacks: list[Stack] = []

    @contextmanager
    def gated(self, wanted: Sequence[Weights], rows: Sequence[int]) -> Iterator[None]:
        """While it lasts every touched module adds to each row what that row's LoRAs add."""
        own = {id(lora): lora for weights in wanted for lora, _ in weights}
        loras = sorted(own.values(), key=lambda lora: (lora.name, id(lora)))
        if [id(lora) for lora in loras] != [id(lora) for lora in self._loras]:
            places = dict.fromkeys(place for lora in loras for place in lora.layers if place[0] == "unet")
            self._stacks = [self._stack(place, [one for one in loras if place in one.layers]) for place in places]
            self._loras = loras
        changed = []
        gates: dict[tuple[tuple[int, ...], tuple[int, ...]], torch.Tensor] = {}
        try:
            for stack in self._stacks:
                key = tuple(map(id, stack.loras)), tuple(stack.ranks)
                if key not in gates:
                    gates[key] = _gates(stack.loras, stack.ranks, wanted, rows).to(stack.inner)
                changed.append((stack.module, stack.module.__dict__.get("forward")))
                stack.module.forward = _gate(stack, gates[key])
            yield
        finally:
            for module, before in changed:
                if before is None:
                    del module.forward
                else:
                    module.forward = before

    def _stack(self, place: Place, loras: Sequence[Lora]) -> Stack:
        module = module_of(self._components, place)
        pairs = [lora.layers[place].low_rank() for lora in loras]
        like = {"device": self._components.device, "dtype": module.weight.dtype}
        inner = torch.cat([down.reshape(down.shape[0], *module.weight.shape[1:]) for down, _ in pairs]).to(**like)
        outer = torch.cat([up.flatten(1) for _, up in pairs], dim=1).to(**like)
        return Stack(module, loras, [down.shape[0] for down, _ in pairs], inner, outer)


def _gate(stack: Stack, gates: torch.Tensor) -> Any:
    module, inner, outer = stack.module, stack.inner, stack.outer
    usual = module.forward

    def forward(values: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
        result = usual(values, *others, **named)
        if isinstance(module, torch.nn.Conv2d):
            # The module's own way to convolve, which may wrap around for a tiled picture.
            middle = module._conv_forward(values, inner, None) * gates[:, :, None, None]
            return result + torch.nn.functional.conv2d(middle, outer[:, :, None, None])
        middle = torch.nn.functional.linear(values, inner)
        middle = middle * gates.reshape(len(gates), *(1,) * (middle.dim() - 2), -1)
        return result + torch.nn.functional.linear(middle, outer)

    return forward


def _gates(loras: Sequence[Lora], ranks: Sequence[int], wanted: Sequence[Weights], rows: Sequence[int]) -> torch.Tensor:
    """(rows, ranks of all LoRAs): each row's weight of the LoRA that an inner dimension belongs to."""
    by_call: list[Mapping[int, float]] = [_summed(weights) for weights in wanted]
    lines = [
        torch.cat([torch.full((rank,), own.get(id(lora), 0.0)) for lora, rank in zip(loras, ranks, strict=True)])
        for own in by_call
    ]
    return torch.cat([line.expand(count, -1) for line, count in zip(lines, rows, strict=True)])


def _summed(weights: Weights) -> dict[int, float]:
    """A LoRA that is named twice counts twice."""
    sums: dict[int, float] = {}
    for lora, weight in weights:
        sums[id(lora)] = sums.get(id(lora), 0.0) + weight
    return sums
