"""Settings beyond steps, sampler and size in A1111's form: what a picture began with, and what was done besides.

Keys and values are those that A1111, Forge and SD.Next write: "Denoising strength", "Hires upscale", "Variation seed"
and so on; `written` makes them of a request, `read` makes changes of a request of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from toolkit.request import GenerationRequest
from toolkit.starts import FromImage, FromText, Inpaint, Outpaint, Refine, Variation

_FILLS = {"fill": "fill", "original": "original", "noise": "latent noise", "nothing": "latent nothing"}
_AREAS = {"whole": "Whole picture", "masked": "Only masked"}
_UPSCALERS = {"lanczos": "Lanczos", "latent": "Latent"}
MAX_NAME = 100
_TILES = {"true": "xy", "x": "x", "y": "y", "xy": "xy"}

KEYS = frozenset({
    "Denoising strength", "Mask blur", "Masked content", "Inpaint area", "Masked area padding", "Outpainting",
    "Hires upscale", "Hires upscaler", "Hires steps", "Variation seed", "Variation seed strength", "Tiling",
    "Clip skip", "Eta", "CFG Rescale",
})  # fmt: skip


def written(request: GenerationRequest) -> dict[str, Any]:
    """The settings of a request by their keys, None where there is nothing to say."""
    sampling, refine, variation = request.sampling, request.refine, request.variation
    return {
        **_start(request),
        "Hires upscale": refine and f"{refine.scale:g}",
        "Hires upscaler": refine and _UPSCALERS.get(refine.upscaler, refine.upscaler),
        "Hires steps": refine and refine.steps,
        "Variation seed": variation and variation.seed,
        "Variation seed strength": variation and f"{variation.strength:g}",
        "Tiling": request.tile or None,
        "Clip skip": sampling.clip_skip,
        "Eta": None if sampling.eta is None else f"{sampling.eta:g}",
        "CFG Rescale": f"{sampling.rescale:g}" if sampling.rescale else None,
    }


def read(settings: Mapping[str, str], number: Callable[[str, type], Any], notes: list[str]) -> dict[str, Any]:
    """Changes of a request; `number(key, kind)` reads a number or notes that it is none.

    The picture that another one began with is not inside of it, so its strength is told and not taken over.
    """
    changes: dict[str, Any] = {
        "clip_skip": number("Clip skip", int),
        "eta": number("Eta", float),
        "rescale": number("CFG Rescale", float) or 0.0,
        "tile": _TILES.get(settings.get("Tiling", "").lower(), ""),
    }
    strength, scale = number("Denoising strength", float), number("Hires upscale", float)
    if scale is not None:
        upscaler = _upscaler(settings.get("Hires upscaler", ""))
        steps = number("Hires steps", int) or None
        changes["refine"] = Refine(scale, upscaler, 0.5 if strength is None else strength, steps)
    elif strength is not None:
        notes.append("This picture began with another picture, which is not stored in it: choose that one again.")
    seed = number("Variation seed", int)
    if seed is not None:
        share = number("Variation seed strength", float)
        changes["variation"] = Variation(seed, 0.0 if share is None else share)
    return {name: value for name, value in changes.items() if value not in (None, "")}


def _upscaler(name: str) -> str:
    """The upscaler's name, "latent" for every way in which A1111 enlarges latents; others keep their own name."""
    name = name.strip()[:MAX_NAME]
    if name.lower().startswith("latent"):
        return "latent"
    return "lanczos" if name.lower() in ("", "none", "lanczos") else name


def _start(request: GenerationRequest) -> dict[str, Any]:
    match request.start:
        case FromText():
            return {"Denoising strength": request.refine and f"{request.refine.strength:g}"}
        case FromImage(strength=strength):
            return {"Denoising strength": f"{strength:g}"}
        case Inpaint() as start:
            return {
                "Denoising strength": f"{start.strength:g}",
                "Mask blur": start.feather,
                "Masked content": _FILLS[start.fill],
                "Inpaint area": _AREAS[start.area],
                "Masked area padding": start.padding if start.area == "masked" else None,
            }
        case Outpaint() as start:
            sides = [f"{side} {getattr(start, side)}" for side in ("left", "top", "right", "bottom")]
            return {"Denoising strength": f"{start.strength:g}", "Outpainting": " ".join(sides)}
    return {}
