"""The flags of `generate` that say what a picture starts from and what is done to it, as parts of a request."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.commands.plugin_flags import merged
from toolkit.errors import RequestError

if TYPE_CHECKING:
    from toolkit.models import ModelIndex
    from toolkit.pictures import InputPictures
    from toolkit.plugins.plugins import Plugins
    from toolkit.request import GenerationRequest

SIDES = ("left", "top", "right", "bottom")
# Flags that change a part of the picture's start; which of them fit depends on what it starts from.
_OF_START = ("strength", "resize", "area", "fill", "feather", "padding")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags, in groups of their own."""
    add = parser.add_argument_group("starting from a picture").add_argument
    add("--image", metavar="FILE", help="the picture to rework, to draw in, or to extend")
    add("--mask", metavar="FILE", help="white where the picture may change; “alpha” takes its transparent parts")
    add("--strength", type=float, metavar="S", help="how much is drawn anew, more than 0 up to 1")
    add("--resize", metavar="HOW", help="how the picture comes to --size: crop, fill or stretch")
    add("--extend", metavar="SIDES", help="pixels to add, such as left=64,right=128")
    add("--area", metavar="AREA", help="draw the whole picture, or only what is masked at the model's full detail")
    add("--fill", metavar="HOW", help="what the masked part starts from: original, fill, noise or nothing")
    add("--feather", type=int, metavar="N", help="pixels over which the drawing fades in, inwards from the mask's edge")
    add("--padding", type=int, metavar="N", help="with --area masked: pixels around the mask that the model sees")
    add = parser.add_argument_group("variations, size and style of drawing").add_argument
    add("--variation", metavar="SEED:STRENGTH", help="turn the seed's noise towards that of another seed")
    add("--walk-to", metavar="SEED|PROMPT", help="draw the pictures on the way to another seed or another prompt")
    add("--frames", type=int, default=12, metavar="N", help="pictures of a walk (default: 12)")
    add("--tile", metavar="AXES", help="make it repeat without a seam: x, y or xy")
    add("--refine", type=float, metavar="SCALE", help="draw it again so many times larger")
    add("--refine-strength", type=float, metavar="S", help="how much the larger picture may differ (default: 0.5)")
    add("--refine-upscaler", metavar="NAME", help="what enlarges in between: lanczos, latent or a plugin's upscaler")
    add("--lora", action="append", metavar="NAME:WEIGHT", help="a LoRA by its file's name; several times for several")
    add("--control", action="append", metavar="KIND:FILE[:WEIGHT]", help="steer by a picture with a ControlNet")
    add(
        "--preprocess", action="append", metavar="NAME[:OPTION=VALUE,…]",
        help="for each --control in turn: what prepares its picture, such as canny:low=50; none takes it as it is",
    )  # fmt: skip
    add("--draft", action="store_true", help="draw in the few steps that the model has a way for")
    add("--upscale", type=float, metavar="SCALE", help="enlarge the finished picture by the best upscaler there is")
    add("--finish", action="append", metavar="NAME[:OPTION=VALUE,…]", help="a plugin's step; @FILE for a picture")
    add("--eta", type=float, metavar="E", help="noise of DDIM and TCD, 0 to 1")
    add("--clip-skip", type=int, metavar="N", help="take the text encoder's n-th layer from the end")
    add("--rescale", type=float, metavar="R", help="bring back the contrast that guidance adds, 0 to 1")


def changed(
    request: GenerationRequest, args: argparse.Namespace, inputs: InputPictures, models: ModelIndex
) -> GenerationRequest:  # fmt: skip
    """The request with what the flags say; raise RequestError naming the flag that is wrong."""
    from toolkit.starts import Refine

    changes: dict[str, Any] = {
        "tile": args.tile, "eta": args.eta, "clip_skip": args.clip_skip, "rescale": args.rescale,
        "draft": args.draft or None,
    }  # fmt: skip
    if args.image or args.mask or args.extend or any(getattr(args, name) is not None for name in _OF_START):
        changes["start"] = _start(request, args, inputs)
    if args.variation:
        changes["variation"] = _variation(args.variation)
    refine = {"scale": args.refine, "strength": args.refine_strength, "upscaler": args.refine_upscaler}
    refine = {name: value for name, value in refine.items() if value is not None}
    if refine:
        changes["refine"] = replace(request.refine or Refine(), **refine)
    if getattr(args, "extras", None):
        extras = {plugin: _with_files(options, inputs) for plugin, options in args.extras.items()}
        changes["extras"] = merged(request.extras, extras)
    if args.lora:
        changes["loras"] = tuple(_lora(text) for text in args.lora)
    if args.control or args.preprocess:
        changes["controls"] = _controls(args.control or [], args.preprocess or [], inputs)
    if args.finish or args.upscale is not None:
        asked = tuple(_finish(text, inputs) for text in args.finish or ()) or request.finish
        changes["finish"] = asked if args.upscale is None else _enlarged(args.upscale, asked, models)
    return request.with_(**{name: value for name, value in changes.items() if value is not None})


def recalled(
    request: GenerationRequest, facts: Mapping[str, Any], args: argparse.Namespace, plugins: Plugins,
    models: ModelIndex,
) -> GenerationRequest:  # fmt: skip
    """What --from read, with a model and an upscaler that are here; tells on standard error where that is in doubt."""
    if args.source is None:
        return request
    from toolkit.plugins.calls import refiners
    from toolkit.recall import with_upscaler
    from toolkit.recalled_models import with_model

    notes = []
    if args.model is None:
        request, notes = with_model(request, facts, models, paths=True)
    if args.refine_upscaler is None:
        request, more = with_upscaler(request, refiners(plugins))
        notes += more
    for note in notes:
        print(note, file=sys.stderr)
    return request


def walk(request: GenerationRequest, args: argparse.Namespace) -> list[GenerationRequest]:
    """The requests to draw: the one that was asked for, or those of a walk; its seed is concrete then."""
    if args.walk_to is None:
        return [request]
    from toolkit.walks import between_prompts, between_seeds

    towards = args.walk_to.strip()
    way = between_seeds(request, int(towards), args.frames) if towards.isdecimal() else None
    return list(way or between_prompts(request, towards, args.frames))


def _start(request: GenerationRequest, args: argparse.Namespace, inputs: InputPictures) -> Any:
    from toolkit.starts import FromImage, FromText, Inpaint, Outpaint

    options = {name: getattr(args, name) for name in _OF_START if getattr(args, name) is not None}
    start = request.start
    if args.image:
        picture = inputs.add(Path(args.image)).sha
        if args.mask:
            start = Inpaint(picture, _mask(args, inputs))
        else:
            start = Outpaint(picture, **_sides(args.extend)) if args.extend else FromImage(picture)
    elif args.mask and isinstance(start, (FromImage, Inpaint)):
        start = Inpaint(start.image, _mask(args, inputs))
    if isinstance(start, FromText):
        flag = next((f"--{name}" for name in ("mask", "extend", *_OF_START) if getattr(args, name) is not None), "")
        raise RequestError("start", f"{flag} needs a picture to work on: give it with --image FILE.")
    wrong = sorted(set(options) - {item.name for item in fields(start)})
    if wrong:
        raise RequestError("start", f"--{wrong[0]} doesn't go with this start: {_USES[wrong[0]]}.")
    return replace(start, **options)


_USES = {
    "resize": "it is for reworking a whole picture, without --mask and --extend",
    "area": "it is for drawing inside a mask, so give one with --mask FILE",
    "padding": "it is for drawing inside a mask, so give one with --mask FILE",
    "fill": "it is for drawing inside a mask or beyond the borders, with --mask or --extend",
    "feather": "it is for drawing inside a mask or beyond the borders, with --mask or --extend",
    "strength": "it is for a picture given with --image",
}


def _mask(args: argparse.Namespace, inputs: InputPictures) -> str:
    if args.mask == "alpha":
        return inputs.add_transparency(Path(args.image)).sha
    return inputs.add_mask(Path(args.mask)).sha


def _sides(text: str) -> Mapping[str, int]:
    sides = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        if name.strip() not in SIDES or not number.strip().isdigit():
            raise RequestError("extend", f"--extend {text} can't be read: write left=64,right=128 (pixels for a side).")
        sides[name.strip()] = int(number)
    return sides


def _variation(text: str) -> Any:
    from toolkit.starts import Variation

    seed, _, strength = text.partition(":")
    try:
        return Variation(int(seed), float(strength) if strength else Variation(0).strength)
    except ValueError:
        raise RequestError("variation", f"--variation {text} can't be read: write SEED:STRENGTH, such as 7:0.2.")


def _lora(text: str) -> Any:
    from toolkit.adapters import LoraUse

    name, colon, weight = text.rpartition(":")
    if not colon:
        return LoraUse(text)
    try:
        return LoraUse(name, float(weight))
    except ValueError:
        raise RequestError("loras", f"--lora {text} can't be read: write NAME:WEIGHT, such as neon:0.8.")


def _controls(controls: list[str], prepared: list[str], inputs: InputPictures) -> tuple[Any, ...]:
    """The units, the n-th --preprocess for the n-th of them."""
    if len(prepared) > len(controls):
        raise RequestError("controls", f"--preprocess {prepared[len(controls)]} has no --control to go with: add one.")
    units = [_control(text, inputs) for text in controls]
    for place, text in enumerate(prepared):
        name, options = _named_options(text, "controls", "--preprocess")
        units[place] = replace(units[place], preprocessor=name, options=options)
    return tuple(units)


def _control(text: str, inputs: InputPictures) -> Any:
    """KIND:FILE[:WEIGHT], split from the right: a Windows path has a colon of its own."""
    from toolkit.adapters import ControlUse

    kind, _, rest = text.partition(":")
    file, _, weight = rest.rpartition(":")
    try:
        strength = float(weight) if file else 1.0
    except ValueError:
        file, strength = rest, 1.0
    file = file or rest
    if not kind or not file:
        raise RequestError("controls", f"--control {text} can't be read: write KIND:FILE or KIND:FILE:WEIGHT.")
    return ControlUse(kind, inputs.add(Path(file)).sha, preprocessor="auto", weight=strength)


def _enlarged(scale: float, steps: tuple[Any, ...], models: ModelIndex) -> tuple[Any, ...]:
    """The steps with --upscale first: by a model where there is one, which the plugin chooses, else by Lanczos."""
    from toolkit.finishing import FinishStep

    ways = ("upscale", "lanczos")
    others = (step for step in steps if step.name not in ways)
    return (FinishStep(ways[0] if models.files("upscaler") else ways[1], {"scale": scale}), *others)


def _finish(text: str, inputs: InputPictures) -> Any:
    from toolkit.finishing import FinishStep

    name, options = _named_options(text, "finish", "--finish")
    return FinishStep(name, _with_files(options, inputs))


def _with_files(options: Mapping[str, Any], inputs: InputPictures) -> dict[str, Any]:
    """Options with the pictures in them kept among the studio's inputs: @FILE is given for one."""
    return {
        name: inputs.add(Path(value[1:])).sha if str(value).startswith("@") and Path(value[1:]).is_file() else value
        for name, value in options.items()
    }


def _named_options(text: str, field: str, flag: str) -> tuple[str, dict[str, Any]]:
    """NAME[:OPTION=VALUE,…]"""
    name, _, rest = text.partition(":")
    options = {}
    for part in filter(None, rest.split(",")):
        option, equals, value = part.partition("=")
        if not equals:
            raise RequestError(field, f"{flag} {text} can't be read: write NAME:OPTION=VALUE,OPTION=VALUE.")
        options[option.strip()] = _plain(value.strip())
    return name.strip(), options


def _plain(text: str) -> str | int | float | bool:
    if text.lower() in ("true", "false", "yes", "no", "on", "off"):
        return text.lower() in ("true", "yes", "on")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
