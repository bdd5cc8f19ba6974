"""ControlNet (Zhang et al. 2023) as a detour of a job's rows: what it adds goes into the denoiser's call.

A job with control units draws with the same pipeline as one without. Its rows carry what steers them to the joined call
of the denoiser; there each ControlNet is called once for the rows of all jobs that have it, and rows without any get
zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from toolkit.engine.adapters.control_nets import Net
from toolkit.engine.denoiser import Predict, Transform
from toolkit.engine.merging import Inputs
from toolkit.geometry import Size
from toolkit.masking import Box
from toolkit.resizing import resized


@dataclass(frozen=True, eq=False)
class Unit:
    """One control of a job: the net, its control picture, and where and how strongly it works."""

    net: Net
    picture: Image.Image
    weight: float
    start: float
    end: float
    resize: str


@dataclass(frozen=True, eq=False)
class Steering:
    """What one unit does to the rows of one call: `hint` (1, channels, height, width) is the same for all of them."""

    net: Net
    hint: torch.Tensor
    weight: float


def controlled(units: Sequence[Unit], size: Size, calls: int, window: tuple[Size, Box] | None = None) -> Transform:
    """Steer the rows of a pass of so many calls at `size` pixels.

    `window` is the whole picture's size and the part of it that the pass draws.
    """
    steering = [Steering(unit.net, unit.net.hint(_pixels(_framed(unit, size, window))), unit.weight) for unit in units]
    done = 0

    def transform(predict: Predict, inputs: Inputs) -> torch.Tensor:
        nonlocal done
        progress = min(1.0, done / max(1, calls))
        done += 1
        working = [
            one for unit, one in zip(units, steering, strict=True)
            if unit.weight and unit.start <= progress < max(unit.end, unit.start + 1e-6)
        ]  # fmt: skip
        return predict(replace(inputs, steering=tuple(working)))

    return transform


def steered(parts: Sequence[Inputs], joined: Inputs) -> Inputs:
    """The joined inputs of a call with what ControlNets add to the rows of its parts; each net is called once."""
    rows: dict[Net, list[tuple[int, int, Steering]]] = {}
    first = 0
    for part in parts:
        for one in part.steering:
            rows.setdefault(one.net, []).append((first, part.rows, one))
        first += part.rows
    if not rows:
        return joined
    sums: list[torch.Tensor] = []
    for net, places in rows.items():
        added = _added(net, places, joined)
        sums = [one + other for one, other in zip(sums, added, strict=True)] if sums else added
    residuals = {"down_block_additional_residuals": tuple(sums[:-1]), "mid_block_additional_residual": sums[-1]}
    return replace(joined, others={**joined.others, **residuals})


def _added(net: Net, places: Sequence[tuple[int, int, Steering]], joined: Inputs) -> list[torch.Tensor]:
    """What a net adds to each skip connection, and last to the middle, for all rows: zeros where it doesn't work."""
    device = joined.sample.device
    own = torch.cat([torch.arange(first, first + count, device=device) for first, count, _ in places])
    weights = torch.cat([torch.full((count, 1, 1, 1), one.weight) for _, count, one in places]).to(joined.sample)
    hints = torch.cat([one.hint.expand(count, -1, -1, -1) for _, count, one in places])
    added: Any = joined.others.get("added_cond_kwargs")
    down, middle = net.model(
        joined.sample[own],
        joined.timestep[own],
        encoder_hidden_states=joined.text[own],
        controlnet_cond=hints,
        added_cond_kwargs=added and {name: value[own] for name, value in added.items()},
        return_dict=False,
    )
    return [
        one.new_zeros((joined.rows, *one.shape[1:])).index_add_(0, own, one * weights) for one in (*down, middle)
    ]  # fmt: skip


def _framed(unit: Unit, size: Size, window: tuple[Size, Box] | None) -> Image.Image:
    if window is None:
        return resized(unit.picture, size, unit.resize)
    whole, box = window
    return resized(unit.picture, whole, unit.resize).crop(box).resize(size, Image.Resampling.LANCZOS)


def _pixels(image: Image.Image) -> torch.Tensor:
    """(1, 3, height, width) in 0…1."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255
