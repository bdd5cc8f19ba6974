"""The verbs: where the studio and the engine ask plugins. A plugin that fails is skipped; only reviews fail closed."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from toolkit.errors import PluginError, RequestError
from toolkit.finishing import FinishStep
from toolkit.plugins.context import Context
from toolkit.plugins.descriptors import Review, Upscaler
from toolkit.plugins.guard import MISSING
from toolkit.plugins.in_time import in_time
from toolkit.plugins.params import clean_options, with_defaults
from toolkit.plugins.states import State
from toolkit.request import GenerationRequest, Written
from toolkit.starts import UPSCALERS

if TYPE_CHECKING:
    from PIL.Image import Image

    from toolkit.adapters import ControlUse
    from toolkit.plugins.plugins import Plugins
    from toolkit.plugins.registry import Step
    from toolkit.plugins.states import Plugin

MAX_PIXELS = 8192 * 8192
# The page or the saving of pictures waits for these, for everybody; a drawing may take its time.
QUICK_SECONDS = 10.0
# Signing a large file, writing another format, telling somebody far away: slow, but never for ever.
SLOW_SECONDS = 60.0
_STRICT = ("allow", "blur", "block")


@dataclass(slots=True)
class Finished:
    """A picture after its finishing steps; `notes` say what was skipped and why."""

    image: Image
    notes: list[str] = field(default_factory=list)


def prepare(plugins: Plugins, request: GenerationRequest) -> GenerationRequest:
    """The request with finishing steps checked, prompts rewritten and every plugin's `prepare_request` applied.

    `request.seed` must be concrete. What was typed is kept in `written` when the text changes.
    """
    request = replace(request, finish=_steps(plugins, request), extras=_extras(plugins, request))
    changed = replace(request, **_transformed(plugins, request))
    for plugin, implementation in plugins.registry.implementations("prepare_request"):
        args = {"request": changed, "settings": plugins.settings(plugin.name)}
        answer = _within(QUICK_SECONDS, plugins, plugin, implementation, args)
        if isinstance(answer, GenerationRequest):
            changed = answer
        elif answer is not None and answer is not MISSING:
            plugins.guard.blame(plugin, f"prepare_request gave {answer!r:.80}, but must give a request or None.")
    if (changed.prompt, changed.negative) != (request.prompt, request.negative) and changed.written is None:
        changed = replace(changed, written=Written(request.prompt, request.negative))
    return changed


def refiners(plugins: Plugins | None) -> tuple[str, ...]:
    """The names of all that can enlarge between the two passes of a refined picture."""
    steps = plugins.registry.steps().values() if plugins is not None else ()
    return tuple(dict.fromkeys((*UPSCALERS, *(step.name for step in steps if isinstance(step.noun, Upscaler)))))


def enlarge(
    plugins: Plugins, name: str, image: Image, size: tuple[int, int], request: GenerationRequest, *,
    device: str = "cpu", checkpoint: Callable[[], None] = lambda: None,
) -> Image | None:  # fmt: skip
    """A picture enlarged by a plugin's upscaler, to `size` or near it; None when that failed or isn't there."""
    step = plugins.registry.steps().get(name)
    if step is None or not isinstance(step.noun, Upscaler):
        return None
    needed = max(size[0] / image.width, size[1] / image.height)
    scale = min(max(needed, min(step.noun.scales)), max(step.noun.scales))
    context = replace(_context(plugins, step.plugin, request, f"refine/{name}"), device=device, checkpoint=checkpoint)
    options = with_defaults(step.params, {"scale": scale})
    answer = plugins.guard.call(step.plugin, _run_step, step, image, options, context)
    return None if answer is MISSING else answer


def finish(
    plugins: Plugins, image: Image, request: GenerationRequest, *, device: str = "cpu",
    checkpoint: Callable[[], None] = lambda: None, progress: Callable[[int, int], None] = lambda done, of: None,
) -> Finished:  # fmt: skip
    """Run the request's finishing steps on one picture, in their order; `request` is the picture's own."""
    done, steps = Finished(image), plugins.registry.steps()
    for number, asked in enumerate(request.finish):
        checkpoint()
        step = steps.get(asked.name)
        if step is None:
            done.notes.append(f"The finishing step “{asked.name}” is not there any more and was left out.")
            continue
        context = replace(
            _context(plugins, step.plugin, request, f"{number}/{asked.name}"),
            device=device, checkpoint=checkpoint, progress=progress,
        )  # fmt: skip
        options = with_defaults(step.params, asked.options)
        answer = plugins.guard.call(step.plugin, _run_step, step, done.image, options, context)
        if answer is MISSING:
            done.notes.append(f"“{step.label}” failed and was left out: {step.plugin.reason}")
        elif answer.width * answer.height > MAX_PIXELS:
            size = f"{answer.width} × {answer.height}"
            done.notes.append(f"“{step.label}” made {size} pixels, which is too many, and was left out.")
        else:
            done.image = answer
    return done


def preprocess(
    plugins: Plugins, use: ControlUse, image: Image, request: GenerationRequest, *, device: str = "cpu",
    checkpoint: Callable[[], None] = lambda: None, longest: float | None = None,
) -> Image:  # fmt: skip
    """The control picture that a unit's preprocessor makes of `image`; raise PluginError when it can't be made.

    One that computes in Python is ended after `longest` seconds, where that is given.
    """
    owned = plugins.registry.preprocessors().get(use.preprocessor)
    if owned is None:
        raise PluginError(f"The preprocessor “{use.preprocessor}” is not there any more.")
    context = replace(
        _context(plugins, owned.plugin, request, f"control/{use.preprocessor}"), device=device, checkpoint=checkpoint
    )
    options = with_defaults(owned.noun.params, use.options)
    run = _run_preprocessor if longest is None else partial(in_time, longest, _run_preprocessor)
    answer = plugins.guard.call(owned.plugin, run, owned.noun, image, options, context)
    if answer is MISSING:
        raise PluginError(f"“{owned.noun.label}” failed: {owned.plugin.reason}")
    return answer


def export(plugins: Plugins, name: str, image: Image, request: GenerationRequest) -> bytes:
    """The bytes that an exporter makes of a picture; raise PluginError when it fails, RequestError when it refuses."""
    owned = plugins.registry.exporters()[name]
    context = _context(plugins, owned.plugin, request, f"export/{name}")
    answer = plugins.guard.call(owned.plugin, in_time, SLOW_SECONDS, owned.noun.run, image, context)
    if answer is MISSING:
        raise PluginError(f"“{owned.noun.label}” failed: {owned.plugin.reason}")
    if not isinstance(answer, (bytes, bytearray)) or not answer:
        plugins.guard.blame(owned.plugin, f"the exporter “{name}” gave {answer!r:.80}, but must give bytes.")
        raise PluginError(f"“{owned.noun.label}” failed: it made no file.")
    return bytes(answer)


def review(plugins: Plugins, image: Image, request: GenerationRequest) -> Review:
    """The strictest verdict of all reviewers; one that fails withholds the picture and is named."""
    for name, reason in plugins.registry.lost_reviewers.items():
        return Review("block", f"the plugin “{name}”, which reviews pictures, has failed ({reason})")
    strictest = Review()
    for plugin, implementation in plugins.registry.implementations("review_image"):
        args = {"image": image, "request": request, "settings": plugins.settings(plugin.name)}
        answer = plugins.guard.hook(plugin, implementation, args)
        if answer is not MISSING and not (answer is None or (isinstance(answer, Review) and answer.verdict in _STRICT)):
            plugins.guard.blame(plugin, f"review_image gave {answer!r:.80}, but must give a Review or None.")
            answer = MISSING
        if answer is MISSING:
            answer = Review("block", f"the plugin “{plugin.name}” could not review it ({plugin.reason})")
        if answer is not None and _STRICT.index(answer.verdict) > _STRICT.index(strictest.verdict):
            strictest = answer
    return strictest


def describe(plugins: Plugins, request: GenerationRequest, image: Image) -> dict[str, Any]:
    """Facts for the picture's metadata: the plugins in their order, and what each wants to say under its name."""
    facts: dict[str, Any] = {"plugins": plugins.order} if plugins.order else {}
    for plugin, implementation in plugins.registry.implementations("describe_image"):
        args = {"request": request, "image": image, "settings": plugins.settings(plugin.name)}
        answer = _within(QUICK_SECONDS, plugins, plugin, implementation, args)
        if isinstance(answer, Mapping):
            facts |= {f"{plugin.name}.{name}": str(value)[:2000] for name, value in answer.items()}
        elif answer is not None and answer is not MISSING:
            plugins.guard.blame(plugin, f"describe_image gave {answer!r:.80}, but must give names with their texts.")
    return facts


def sign(plugins: Plugins, content: bytes, request: GenerationRequest) -> bytes:
    """A PNG's bytes after every `sign_file`; a plugin that spoils the file is undone."""
    implementations = plugins.registry.implementations("sign_file")
    if not implementations:
        return content
    with tempfile.TemporaryDirectory(prefix="limner-sign-") as folder:
        path = Path(folder, "picture.png")
        for plugin, implementation in implementations:
            path.write_bytes(content)
            args = {"path": path, "request": request, "settings": plugins.settings(plugin.name)}
            plugins.guard.call(plugin, in_time, SLOW_SECONDS, _sign_one, implementation, args, content)
            signed = path.read_bytes() if path.is_file() else b""
            if plugin.state.value == "active" and _same_picture(content, signed):
                content = signed
    return content


def notify(plugins: Plugins, event: Any) -> None:
    """Tell every plugin of an event; called on the plugins' own thread."""
    for plugin, implementation in plugins.registry.implementations("on_event"):
        args = {"event": event, "settings": plugins.settings(plugin.name)}
        _within(SLOW_SECONDS, plugins, plugin, implementation, args)


def denoising(plugins: Plugins, denoiser: Any, request: GenerationRequest) -> Callable[[], Any] | None:
    """What makes a context around one call of the denoiser for this request; None when no plugin asks for it."""
    asked = [one for one in plugins.registry.implementations("patch_denoiser") if one[0].name in request.extras]
    if not asked:
        return None

    @contextmanager
    def around() -> Iterator[None]:
        with ExitStack() as stack:
            for plugin, implementation in asked:
                if plugin.state is not State.ACTIVE:  # it has used up its errors since the job began
                    continue
                context = plugins.guard.hook(plugin, implementation, {"denoiser": denoiser, "request": request})
                if context is None or context is MISSING:
                    continue
                if plugins.guard.call(plugin, type(context).__enter__, context) is not MISSING:
                    stack.callback(plugins.guard.call, plugin, type(context).__exit__, context, None, None, None)
            yield

    return around


def _steps(plugins: Plugins, request: GenerationRequest) -> tuple[FinishStep, ...]:
    known = plugins.registry.steps()
    checked, pixels = [], request.size.pixels if request.size else 512 * 512
    for asked in request.finish:
        step = known.get(asked.name)
        if step is None:
            there = ", ".join(known) or "none: no plugin that has any is active"
            raise RequestError("finish", f"There is no finishing step “{asked.name}”; there are {there}.")
        options = clean_options(step.params, asked.options, f"finish.{asked.name}")
        checked.append(FinishStep(asked.name, options))
        if isinstance(step.noun, Upscaler):
            pixels *= with_defaults(step.params, options)["scale"] ** 2
            if pixels > MAX_PIXELS:
                raise RequestError("finish", "Enlarged like this the picture has more than 8192 × 8192 pixels.")
    return tuple(checked)


def check_preprocessors(plugins: Plugins, request: GenerationRequest) -> GenerationRequest:
    """The request with its control units' preprocessors and their options checked; raise RequestError."""
    known, units = plugins.registry.preprocessors(), []
    for number, unit in enumerate(request.controls):
        if unit.preprocessor == "none":
            units.append(replace(unit, options={}))
            continue
        owned = known.get(unit.preprocessor)
        if owned is None:
            there = ", ".join(["none", *known])
            raise RequestError(
                f"controls.{number}.preprocessor", f"There is no preprocessor “{unit.preprocessor}”; there are {there}."
            )
        options = clean_options(owned.noun.params, unit.options, f"controls.{number}.options")
        units.append(replace(unit, options=options))
    return replace(request, controls=tuple(units))


def _extras(plugins: Plugins, request: GenerationRequest) -> dict[str, Any]:
    extras = {}
    for name, given in request.extras.items():
        params = plugins.registry.options(name)
        if not params:
            raise RequestError("extras", f"There is no active plugin “{name}” that takes options.")
        extras[name] = clean_options(params, given, f"extras.{name}")
    return extras


def _transformed(plugins: Plugins, request: GenerationRequest) -> dict[str, str]:
    texts = {"prompt": request.prompt, "negative": request.negative}
    for transform, plugin in plugins.registry.transforms():
        context = _context(plugins, plugin, request, transform.name)
        for name in transform.applies_to:
            chance = Random(f"{request.seed}/{transform.name}/{name}")
            answer = plugins.guard.call(plugin, in_time, QUICK_SECONDS, transform.run, texts[name], chance, context)
            if isinstance(answer, str):
                texts[name] = answer
            elif answer is not MISSING:
                plugins.guard.blame(plugin, f"“{transform.name}” gave {answer!r:.80}, but must give text.")
    return texts


def _within(seconds: float, plugins: Plugins, plugin: Plugin, implementation: Any, args: Mapping[str, Any]) -> Any:
    """`Guard.hook`, ended after `seconds`."""
    given = [args[name] for name in implementation.argnames]
    return plugins.guard.call(plugin, in_time, seconds, implementation.function, *given)


def _run_step(step: Step, image: Image, options: dict[str, Any], context: Context) -> Image:
    if isinstance(step.noun, Upscaler):
        scale = options.pop("scale")
        answer = step.noun.run(image.copy(), scale, options, context)
    else:
        answer = step.noun.run(image.copy(), options, context)
    _expect_picture(answer, f"“run” of “{step.name}”")
    return answer if answer.mode in ("RGB", "RGBA") else answer.convert("RGB")


def _sign_one(implementation: Any, args: Mapping[str, Any], before: bytes) -> None:
    implementation.function(*[args[name] for name in implementation.argnames])
    if not _same_picture(before, args["path"].read_bytes()):
        raise PluginError("what it left is not the same picture as a PNG file, so it was undone")


def _same_picture(before: bytes, after: bytes) -> bool:
    """Whether both are whole PNG files with the same pixels."""
    from PIL import Image as pillow

    if before == after:
        return True
    try:
        with pillow.open(io.BytesIO(before)) as first, pillow.open(io.BytesIO(after), formats=["PNG"]) as second:
            return first.mode == second.mode and first.size == second.size and first.tobytes() == second.tobytes()
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError):
        return False


def _run_preprocessor(noun: Any, image: Image, options: Mapping[str, Any], context: Context) -> Image:
    made = noun.run(image, options, context)
    _expect_picture(made, f"“run” of the preprocessor “{noun.name}”")
    return made.convert("RGB")


def _expect_picture(answer: Any, who: str) -> None:
    from PIL import Image as pillow

    if isinstance(answer, pillow.Image):
        return
    if answer is None:
        raise PluginError(f"{who} gave None: it must return a picture.")
    how = "; Image.fromarray makes one of an array" if hasattr(answer, "__array_interface__") else ""
    raise PluginError(f"{who} gave {type(answer).__name__}, but must give a picture of Pillow{how}.")


def _context(plugins: Plugins, plugin: Plugin, request: GenerationRequest, purpose: str) -> Context:
    import logging

    return Context(
        request=request,
        settings=plugins.settings(plugin.name),
        folder=plugin.path,
        data=plugins.data,
        models=plugins.models,
        places=plugins.places,
        log=logging.getLogger(f"limner.plugins.{plugin.name}"),
        purpose=purpose,
    )
