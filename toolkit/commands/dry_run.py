"""`generate --dry-run`: what would be drawn, with every choice made, and nothing drawn, queued or saved."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from toolkit.commands import drawing_flags

if TYPE_CHECKING:
    from toolkit.request import GenerationRequest
    from toolkit.settings import Settings

NOTHING: Mapping[str, Any] = MappingProxyType({})


def resolved(
    request: GenerationRequest, settings: Settings, args: argparse.Namespace, facts: Mapping[str, Any] = NOTHING
) -> list[GenerationRequest]:
    """The requests as they would be queued; raise RequestError for what can't be drawn.

    `facts` are those of the picture that --from read.
    Pictures given by flags are kept among the studio's inputs, because requests name them.
    """
    from toolkit.models import ModelIndex
    from toolkit.pictures import InputPictures
    from toolkit.plugins.plugins import Plugins
    from toolkit.prepare import prepare
    from toolkit.styles import all_styles

    plugins = Plugins(settings.data, given=settings.plugins, safe=settings.safe_mode)
    models, inputs = ModelIndex.of(settings), InputPictures(settings.data / "inputs")
    styles = all_styles(settings.data, plugins.styles(models))

    def prepared(one: GenerationRequest) -> GenerationRequest:
        return prepare(one, models, styles, plugins=plugins, pictures=inputs)

    request = drawing_flags.recalled(request, facts, args, plugins, models)
    request = drawing_flags.changed(request, args, inputs, models)
    request = request.with_(seed=prepared(request).seed)
    return [prepared(one) for one in drawing_flags.walk(request, args)]


def told(requests: Sequence[GenerationRequest], as_json: bool) -> str:
    """The requests for a person, or as {"requests": […]} for a program."""
    if as_json:
        return json.dumps({"requests": [request.to_dict() for request in requests]}, ensure_ascii=False)
    return "\n\n".join("\n".join(_lines(request)) for request in requests)


def _lines(request: GenerationRequest) -> list[str]:
    sampling = request.sampling
    count = f"{request.count} pictures from seed {request.seed}" if request.count > 1 else f"seed {request.seed}"
    facts = [str(request.size or ""), f"{sampling.steps} steps of {sampling.sampler}" if sampling.steps else "",
             f"guidance {sampling.guidance:g}" if sampling.guidance else "", request.model, count]  # fmt: skip
    lines = [request.prompt or "(no prompt)"]
    if request.negative:
        lines.append(f"  leave out: {request.negative}")
    if request.written is not None and request.written.prompt != request.prompt:
        lines.append(f"  typed:     {request.written.prompt}")
    lines.append(f"  draws:     {', '.join(filter(None, facts))}")
    for step in request.finish:
        options = ",".join(f"{name}={value}" for name, value in step.options.items())
        lines.append(f"  finish:    {step.name}{':' if options else ''}{options}")
    for plugin, chosen in request.extras.items():
        lines.append(f"  {plugin + ':':<10} {', '.join(f'{name}={value}' for name, value in chosen.items())}")
    return lines
