"""The noise a picture is drawn from: its seed's alone, whatever is drawn beside it and on whatever machine."""

from __future__ import annotations

import torch

from toolkit.request import GenerationRequest


def generators_for(request: GenerationRequest, first: int, number: int) -> list[torch.Generator]:
    """A generator on the CPU for each of `number` pictures from index `first` on."""
    return [torch.Generator().manual_seed(request.picture(first + index).seed) for index in range(number)]


def first_noise(
    request: GenerationRequest, first: int, generators: list[torch.Generator], shape: tuple[int, int, int]
) -> torch.Tensor:
    """Noise (pictures, channels, height, width) on the CPU, turned towards the variation's where there is one."""
    noise = [torch.randn((1, *shape), generator=generator) for generator in generators]
    if request.variation is not None:
        seeds = (request.picture(first + index).variation.seed for index in range(len(noise)))
        others = (torch.randn((1, *shape), generator=torch.Generator().manual_seed(seed)) for seed in seeds)
        strength = request.variation.strength
        noise = [slerp(own, other, strength) for own, other in zip(noise, others, strict=True)]
    return torch.cat(noise)


def slerp(start: torch.Tensor, end: torch.Tensor, part: float) -> torch.Tensor:
    """Spherical interpolation (Shoemake 1985): noise between two noises that is as strong as they are."""
    cosine = (start * end).sum() / (start.norm() * end.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    if angle.sin() < 1e-6:
        return start
    return (torch.sin((1 - part) * angle) * start + torch.sin(part * angle) * end) / angle.sin()
