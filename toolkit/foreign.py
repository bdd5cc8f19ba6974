"""Settings that ComfyUI, InvokeAI, Fooocus, SwarmUI and NovelAI write into pictures, read behind limits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from toolkit.errors import MetadataError
from toolkit.recall import request_of
from toolkit.request import GenerationRequest

# sd-parsers searches with regular expressions and graph walks that need quadratic time on hostile input.
MAX_CHARACTERS = {
    "parameters": 1_000_000, "prompt": 4_000_000, "workflow": 4_000_000, "invokeai_metadata": 1_000_000,
    "sd-metadata": 1_000_000, "Dream": 10_000, "Comment": 1_000_000, "Description": 1_000_000, "Source": 200,
}  # fmt: skip
MAX_NODES, MAX_SAMPLER_NODES = 2_000, 40

# What sd-parsers lets through, besides its own ParserError, when a text isn't of the shape that it expects.
_MISSHAPEN = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OverflowError)

Found = tuple[GenerationRequest, dict[str, Any], list[str]]


def read_foreign(texts: Mapping[str, str]) -> Found | None:
    """Request, facts and sentences from the texts of a picture; None when no studio of these wrote them.

    Raises MetadataError when one did, but what it wrote is damaged, too large or can't be true.
    """
    from sd_parsers import parsers
    from sd_parsers.exceptions import ParserError

    if texts.get("parameters", "").lstrip().startswith("{"):
        if "sui_image_params" in texts["parameters"]:
            return _swarm(_limited(texts, "parameters"))
        parser, names = parsers.FooocusParser(), ["parameters"]
    elif "parameters" in texts:
        return None
    elif not texts.keys().isdisjoint({"invokeai_metadata", "sd-metadata", "Dream"}):
        parser, names = parsers.InvokeAIParser(), ["invokeai_metadata", "sd-metadata", "Dream"]
    elif {"Comment", "Description", "Source"} <= texts.keys():
        parser, names = parsers.NovelAIParser(), ["Comment", "Description", "Source"]
    elif {"prompt", "workflow"} <= texts.keys():
        parser, names = parsers.ComfyUIParser(), ["prompt", "workflow"]
        _check_graph(_limited(texts, "prompt"))
    else:
        return None
    try:
        info = parser.parse({name: _limited(texts, name) for name in names if name in texts})
        return _found(info)
    except (ParserError, *_MISSHAPEN) as error:
        raise MetadataError(f"The settings of {parser.generator.value} in this picture can't be read.") from error


def _limited(texts: Mapping[str, str], name: str) -> str:
    if len(texts[name]) > MAX_CHARACTERS[name]:
        raise MetadataError(
            f"“{name}” in this picture has {len(texts[name]):,} characters; "
            f"Limner reads at most {MAX_CHARACTERS[name]:,}."
        )
    return texts[name]


def _check_graph(prompt: str) -> None:
    try:
        nodes = json.loads(prompt)
        samplers = sum("sampler_name" in node.get("inputs", ()) for node in nodes.values() if isinstance(node, dict))
    except _MISSHAPEN as error:
        raise MetadataError("The settings of ComfyUI in this picture can't be read.") from error
    if len(nodes) > MAX_NODES or samplers > MAX_SAMPLER_NODES:
        raise MetadataError(
            f"The ComfyUI graph in this picture has {len(nodes):,} nodes, {samplers:,} of them samplers; "
            f"Limner reads at most {MAX_NODES:,} and {MAX_SAMPLER_NODES}."
        )


def _found(info: Any) -> Found:
    """The first sampler counts; later ones are mostly second passes over the same picture."""
    if not info.samplers:
        raise MetadataError(f"The settings of {info.generator.value} in this picture name no sampler.")
    sampler = info.samplers[0]
    own, rest = sampler.parameters, info.metadata
    width, height = _size(rest)
    settings = {
        "Steps": own.get("steps", rest.get("steps")),
        "Sampler": sampler.name,
        "Schedule type": own.get("scheduler"),
        "CFG scale": own.get("cfg_scale"),
        "Seed": own.get("seed", own.get("noise_seed")),
        "Size": f"{width}x{height}" if width and height else None,
        "Model": sampler.model.name if sampler.model else None,
        "Model hash": sampler.model.hash if sampler.model else None,
    }
    notes = []
    if len(info.samplers) > 1:
        notes.append(f"This picture was drawn in {len(info.samplers)} passes; the settings are those of the first.")
    words = (", ".join(str(prompt) for prompt in prompts) for prompts in (sampler.prompts, sampler.negative_prompts))
    return _request(*words, settings, {"generator": info.generator.value}, notes)


def _swarm(text: str) -> Found:
    try:
        own = json.loads(text)["sui_image_params"]
        settings = {
            "Steps": own.get("steps"),
            "Sampler": own.get("sampler"),
            "Schedule type": own.get("scheduler"),
            "CFG scale": own.get("cfgscale"),
            "Seed": own.get("seed"),
            "Size": f"{own['width']}x{own['height']}" if "width" in own and "height" in own else None,
            "Model": own.get("model"),
        }
        words = str(own.get("prompt", "")), str(own.get("negativeprompt", ""))
    except _MISSHAPEN as error:
        raise MetadataError("The settings of SwarmUI in this picture can't be read.") from error
    return _request(*words, settings, {"generator": "SwarmUI"}, [])


def _size(rest: Mapping[str, Any]) -> tuple[Any, Any]:
    """Width and height stand beside the settings, in Fooocus' "resolution", or in ComfyUI's empty latent image."""
    if "width" in rest and "height" in rest:
        return rest["width"], rest["height"]
    numbers = re.findall(r"\d+", str(rest.get("resolution", ""))[:60])
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    for kind, nodes in rest.items():
        if "LatentImage" in str(kind) and isinstance(nodes, list) and nodes and isinstance(nodes[0], dict):
            return nodes[0].get("width"), nodes[0].get("height")
    return None, None


def _request(
    prompt: str, negative: str, settings: Mapping[str, Any], facts: dict[str, Any], notes: list[str]
) -> Found:
    plain = {key: _text(value) for key, value in settings.items() if value is not None}
    # InvokeAI writes "dpmpp_2m_k" where the noise follows Karras.
    if plain.get("Sampler", "").endswith("_k"):
        plain |= {"Sampler": plain["Sampler"].removesuffix("_k"), "Schedule type": "karras"}
    if "Model" in plain:
        plain["Model"] = re.split(r"[\\/]", plain["Model"])[-1].removesuffix(".safetensors").removesuffix(".ckpt")
    request, more = request_of(plain)
    if "Model hash" in plain:
        facts["model_hash"] = plain["Model hash"]
    return request.with_(prompt=prompt, negative=negative), facts, notes + more


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
