"""What plugins give: frozen descriptions with a callable inside. The core decides when to call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

    from toolkit.plugins.context import Context
    from toolkit.plugins.params import Param
    from toolkit.studio import Studio

Options = Mapping[str, Any]
Verdict = Literal["allow", "blur", "block"]


@dataclass(frozen=True, slots=True)
class PromptTransform:
    """Rewrites a prompt before it is queued, in the page's process; smaller `order` first.

    `run(text, chance, context)` returns the new text; `chance` is seeded by the request's seed, so that the same
    request gives the same text. A RequestError from it refuses the request with its sentence.
    """

    name: str
    label: str
    run: Callable[[str, Random, Context], str]
    applies_to: tuple[Literal["prompt", "negative"], ...] = ("prompt", "negative")
    order: int = 0


@dataclass(frozen=True, slots=True)
class Postprocessor:
    """Turns a finished picture into a better one: `run(image, options, context)` in the engine's process.

    `name` is stable and unique, it goes into the picture's metadata; `label` is what the designer reads. `image` is
    RGB, or RGBA after a step that made it transparent; what is returned may have any size.
    """

    name: str
    label: str
    run: Callable[[Image, Options, Context], Image]
    params: tuple[Param, ...] = ()
    order: int = 0
    help: str = ""


@dataclass(frozen=True, slots=True)
class Upscaler:
    """Enlarges a finished picture: `run(image, scale, options, context)` in the engine's process.

    `scales` are the factors it can do. It is a finishing step with the option "scale" before its own.
    """

    name: str
    label: str
    run: Callable[[Image, float, Options, Context], Image]
    scales: tuple[float, ...] = (2.0, 3.0, 4.0)
    params: tuple[Param, ...] = ()
    order: int = -100
    help: str = ""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Another file of a saved picture: `run(image, context)` returns its bytes, in the page's process.

    The page offers it under every picture, "Save as … `label`"; the file, whose name ends in `suffix`, is made once,
    kept in the folder `exports` beside the picture and removed with it. A PNG is signed like the picture. `media_type`
    is what browsers are told. A RequestError says why a picture can't become one.
    """

    name: str
    label: str
    suffix: str
    media_type: str
    run: Callable[[Image, Context], bytes]
    help: str = ""


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """Makes the picture that a ControlNet follows: `run(image, options, context)` in the engine's process.

    `image` is RGB and at the size that is drawn; what is returned is shown over it and handed to the ControlNet. A
    RequestError, for weights that are missing say, ends the job with its sentence.
    """

    name: str
    label: str
    run: Callable[[Image, Options, Context], Image]
    params: tuple[Param, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class Control:
    """A kind of control: ControlNets with one of `words` in their name, and the preprocessor that is usual for them."""

    name: str
    label: str
    words: tuple[str, ...]
    preprocessor: str = "none"
    help: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of its own, `launch.py NAME`: `run(studio, words, options)` returns the exit code.

    `words` are what stands behind the name, `options` come from flags made of `params`. The manifest lists the name
    under `commands`, so that the command line knows of it without loading anything.
    """

    name: str
    help: str
    run: Callable[[Studio, list[str], Options], int]
    params: tuple[Param, ...] = ()


@dataclass(frozen=True, slots=True)
class Tab:
    """A page of its own: `build(studio)` makes Gradio components, inside a Blocks that is already open."""

    name: str
    label: str
    build: Callable[[Studio], None]
    order: int = 0


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer thinks of a picture; the strictest verdict of all reviewers holds."""

    verdict: Verdict = "allow"
    reason: str = ""
