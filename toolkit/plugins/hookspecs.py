"""Every place where a plugin can extend the studio.

A plugin is a folder with a `plugin.toml` and, unless it is data only, an `__init__.py` that implements some of these
functions, marked `@hookimpl`, with the arguments it needs and no others. The first word of each docstring says how
the answers of several plugins combine:

    Collect   every plugin is asked; one that fails is skipped and named
    Chain     each plugin gets what the one before it returned
    First     the first answer that is not None counts
    Notify    every plugin is told; answers are ignored

Registering must be quick: torch and the like are imported inside the callables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from PIL.Image import Image

    from toolkit.jobs import JobEvent
    from toolkit.plugins.descriptors import (
        Command,
        Control,
        Exporter,
        Postprocessor,
        Preprocessor,
        PromptTransform,
        Review,
        Tab,
        Upscaler,
    )
    from toolkit.plugins.params import Param
    from toolkit.request import GenerationRequest
    from toolkit.sidecars import LoraCard
    from toolkit.styles import Style

PROJECT = "limner"
API = 1
"""Raised only when an existing hook changes its meaning; new hooks and new arguments leave it as it is."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_styles(loras: Sequence[LoraCard]) -> Iterable[Style]:
    """Collect. Looks for the style picker, by words around the prompt.

    A folder `styles` with TOML files beside the manifest does the same without code. `loras` are the LoRAs that are
    there; an implementation that names them is asked again whenever they are looked at, at its loading with none.

        @hookimpl
        def register_styles():
            yield Style("woodcut", "Woodcut", "Print", "Carved lines", "{prompt}, woodcut, bold black lines")
    """


@hookspec
def register_prompt_transforms() -> Iterable[PromptTransform]:
    """Collect. Rewrites of what was typed, run when a request is made ready and before it is queued.

        @hookimpl
        def register_prompt_transforms():
            yield PromptTransform("shout", "Shout", lambda text, chance, context: text.upper())
    """


@hookspec
def register_upscalers() -> Iterable[Upscaler]:
    """Collect. Ways to enlarge a finished picture, offered among the finishing steps with a factor.

        @hookimpl
        def register_upscalers():
            yield Upscaler("blocks", "Blocks", lambda image, scale, options, context: image.resize(
                (int(image.width * scale), int(image.height * scale)), 0))
    """


@hookspec
def register_postprocessors() -> Iterable[Postprocessor]:
    """Collect. Finishing steps that a person picks and orders; run on each finished picture.

        @hookimpl
        def register_postprocessors():
            yield Postprocessor("mirror", "Mirror", lambda image, options, context: image.transpose(0))
    """


@hookspec
def register_exporters() -> Iterable[Exporter]:
    """Collect. Other files of a saved picture, offered for download under it: an SVG, a transparent PNG.

        @hookimpl
        def register_exporters():
            yield Exporter("pixels", "Raw pixels", "rgb", "application/octet-stream", lambda image, context:
                image.convert("RGB").tobytes())
    """


@hookspec
def register_preprocessors() -> Iterable[Preprocessor]:
    """Collect. Ways to make the picture that a ControlNet follows from a picture that a person brings.

        @hookimpl
        def register_preprocessors():
            yield Preprocessor("grey", "Grey", lambda image, options, context: image.convert("L").convert("RGB"))
    """


@hookspec
def register_controls() -> Iterable[Control]:
    """Collect. Kinds of control, each for the ControlNets that have one of its words in their name.

        @hookimpl
        def register_controls():
            yield Control("grey", "Light and shade", ("grey", "recolor"), preprocessor="grey")
    """


@hookspec
def register_options() -> Iterable[Param]:
    """Collect. Options of a request for this plugin; what was chosen arrives in `request.extras[plugin]`.

        @hookimpl
        def register_options():
            yield Toggle("on", "Sharper structure")
    """


@hookspec
def register_settings() -> Iterable[Param]:
    """Collect. The plugin's form on the Plugins page; the values arrive in `context.settings` and `settings`.

        @hookimpl
        def register_settings():
            yield Text("credit", "Credit line")
    """


@hookspec
def register_commands() -> Iterable[Command]:
    """Collect. Commands of the command line; the manifest's `commands` names them too.

        def count(studio, words, options):
            print(studio.gallery.count(OWNER))
            return 0

        @hookimpl
        def register_commands():
            yield Command("count", "count the pictures", count)
    """


@hookspec
def prepare_request(request: GenerationRequest, settings: Mapping[str, Any]) -> GenerationRequest | None:
    """Chain. Change a request before it is queued; None leaves it as it is, a RequestError refuses it.

        @hookimpl
        def prepare_request(request):
            return request.with_(negative=request.negative or "text")
    """


@hookspec
def patch_denoiser(denoiser: Any, request: GenerationRequest) -> AbstractContextManager[Any] | None:
    """Collect. Advanced: a context around each call of the denoiser (a diffusers UNet) for the jobs that asked.

    The denoiser is everybody's: it must leave the context as it entered it. Only a plugin that the request names in
    its `extras` is asked.

        @hookimpl
        def patch_denoiser(denoiser, request):
            return my_patch(denoiser) if request.extras["mine"].get("on") else None
    """


@hookspec
def review_image(image: Image, request: GenerationRequest, settings: Mapping[str, Any]) -> Review | None:
    """Collect. What may be kept: the strictest answer counts, and a plugin that fails withholds the picture.

        @hookimpl
        def review_image(image, request):
            return Review("block", "it is empty") if len(image.getcolors(2) or "..") == 1 else None
    """


@hookspec
def describe_image(
    request: GenerationRequest, image: Image, settings: Mapping[str, Any]
) -> Mapping[str, str] | None:
    """Collect. Facts for the picture's metadata, kept under the plugin's name.

        @hookimpl
        def describe_image(request, image):
            return {"words": str(len(request.prompt.split()))}
    """


@hookspec
def sign_file(path: Path, request: GenerationRequest, settings: Mapping[str, Any]) -> None:
    """Chain. Work on the PNG itself before it gets its place: XMP, C2PA, what text metadata can't do.

    Each plugin finds the file as the one before left it. When one raises, or leaves something that is no PNG of the
    same size, the file is put back as it was.

        @hookimpl
        def sign_file(path, request):
            path.write_bytes(signed(path.read_bytes()))
    """


@hookspec
def on_event(event: JobEvent, settings: Mapping[str, Any]) -> None:
    """Notify. A job was queued, moved on, finished, failed or was cancelled; told on a thread of the plugins' own.

        @hookimpl
        def on_event(event):
            if event.state.value == "finished":
                print(*(image.path for image in event.images))
    """


@hookspec
def register_tabs() -> Iterable[Tab]:
    """Collect. Pages beside Create; implemented in the plugin's `ui.py`, the one file that may import gradio.

        @hookimpl
        def register_tabs():
            yield Tab("hello", "Hello", lambda studio: gr.Markdown("Hello"))
    """
