"""Create: the form on the left, the stage in the middle, recent pictures beside or below it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gradio as gr

from toolkit.errors import LimnerError, RequestError
from toolkit.request import GenerationRequest
from toolkit.samplers import SAMPLERS
from webui import form
from webui.view import shell
from webui.visitors import who_of

if TYPE_CHECKING:
    from gradio.components import Component

    from toolkit.studio import Studio

SCHEDULES = sorted({schedule for sampler in SAMPLERS for schedule in sampler.schedules})


def build_create(studio: Studio, page: gr.Blocks) -> None:
    """Put the Create screen into `page`, which is being built."""
    start = form.fill(GenerationRequest())
    with gr.Row(elem_id="lm-desk"):
        with gr.Column(elem_id="lm-panel"):
            inputs = _prompt(start)
            with gr.Row(elem_id="lm-drawbar"):
                draw = gr.Button("Draw", variant="primary", elem_id="lm-draw")
                shell("drawbar")
            shell("choices")
            shell("styles")
            inputs |= _model(studio, start)
            shell("numbers")
            with gr.Column(elem_id="lm-numbers"):
                inputs |= _numbers(start)
        with gr.Column(elem_id="lm-main"):
            shell("stage")
            shell("jobs")
        with gr.Column(elem_id="lm-side"):
            shell("recent")
    _wire(studio, page, draw, [inputs[name] for name in form.NAMES])


def _prompt(start: dict[str, Any]) -> dict[str, Component]:
    prompt = gr.Textbox(
        start["prompt"],
        label="Prompt",
        placeholder="Describe the picture you have in mind",
        lines=4,
        max_lines=12,
        elem_id="lm-f-prompt",
    )
    shell("prompt")
    return {"prompt": prompt, "styles": gr.Textbox(start["styles"], visible="hidden", elem_id="lm-f-styles")}


def _model(studio: Studio, start: dict[str, Any]) -> dict[str, Component]:
    negative = gr.Textbox(
        start["negative"],
        label="Leave out",
        placeholder="What the picture should not show",
        lines=1,
        max_lines=6,
        elem_id="lm-f-negative",
    )
    # A model or sampler that is no longer there is still shown as it was asked for; the studio's answer names it.
    there = [(model.title, model.id) for model in studio.models.list()]
    ids = [model_id for _, model_id in there]
    models = gr.Dropdown(
        there,
        value=start["model"] if start["model"] in ids or not ids else ids[0],
        label="Model",
        allow_custom_value=True,
        elem_id="lm-f-model",
    )
    return {"negative": negative, "model": models}


def _number(start: dict[str, Any], name: str, label: str, info: str) -> gr.Textbox:
    attributes = gr.InputHTMLAttributes(autocomplete="off", spellcheck=False)
    return gr.Textbox(
        start[name],
        label=label,
        info=info,
        placeholder="auto",
        max_lines=1,
        elem_id=f"lm-f-{name}",
        html_attributes=attributes,
    )


def _numbers(start: dict[str, Any]) -> dict[str, Component]:
    """The numbers behind the choices; an empty box leaves the choice to the model."""
    return {
        "steps": _number(
            start, "steps", "Steps", "How often the picture is gone over; more is cleaner and takes longer."
        ),
        "guidance": _number(
            start, "guidance", "Guidance", "How closely the prompt is followed; high is literal and harsh."
        ),
        "width": _number(start, "width", "Width", "In pixels; close to the model’s own size works best."),
        "height": _number(start, "height", "Height", "In pixels; the shapes above fill in both sides."),
        "seed": _number(start, "seed", "Seed", "The number a picture grows from; the same seed draws it again."),
        "count": _number(start, "count", "Pictures", "How many are drawn at once, each from the next seed."),
        "sampler": gr.Dropdown(
            [("Model’s own", "auto"), *((sampler.label, sampler.name) for sampler in SAMPLERS)],
            value=start["sampler"],
            label="Sampler",
            info="The way from noise to picture; each has its own character.",
            allow_custom_value=True,
            elem_id="lm-f-sampler",
        ),
        "schedule": gr.Dropdown(
            [("Sampler’s usual", "auto"), *((name.replace("_", " ").capitalize(), name) for name in SCHEDULES)],
            value=start["schedule"],
            label="Schedule",
            info="How the steps are spread between rough and fine.",
            allow_custom_value=True,
            elem_id="lm-f-schedule",
        ),
    }


def _wire(studio: Studio, page: gr.Blocks, draw: gr.Button, inputs: list[Component]) -> None:
    """Link the form to its scripts: `limner.*` are the functions of assets/js/form.js.

    The handlers with `queue=False` answer at once and are safe to be posted by anybody: `submit` admits each request.
    """
    answer = gr.JSON(visible="hidden", elem_id="lm-answer")
    wish = gr.Textbox(visible="hidden", elem_id="lm-wish")
    filled = gr.JSON(visible="hidden", elem_id="lm-filled")
    fill = gr.Button("Fill", visible="hidden", elem_id="lm-fill")
    put = gr.Button("Put", visible="hidden", elem_id="lm-put")

    def on_draw(request: gr.Request, *values: Any) -> dict[str, Any]:
        try:
            job = studio.submit(form.read(dict(zip(form.NAMES, values, strict=True))), who_of(request))
        except LimnerError as error:
            return _refusal(error)
        return {"id": job.id}

    def on_fill(text: str) -> dict[str, Any]:
        try:
            return {"values": form.fill(GenerationRequest.from_dict(json.loads(text)))}
        except (LimnerError, ValueError, RecursionError) as error:
            return {"error": str(error)}

    direct = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    asked = draw.click(on_draw, inputs, answer, trigger_mode="multiple", **direct)
    asked.then(None, answer, None, js="(answer) => window.limner.answered(answer)")
    done = fill.click(on_fill, wish, filled, js="() => window.limner.wish()", **direct)
    done.then(None, filled, None, js="(filled) => window.limner.filled(filled)")
    put.click(None, None, inputs, js="() => window.limner.values()")
    page.load(None, inputs, inputs, js="async (...values) => (await window.limner.ready).restore(values)")
    gr.on(
        [part.change for part in inputs],  # type: ignore[attr-defined]
        None,
        inputs,
        None,
        js="async (...values) => { (await window.limner.ready).changed(values); }",
        trigger_mode="always_last",
        show_progress="hidden",
    )


def _refusal(error: LimnerError) -> dict[str, Any]:
    return {"field": error.field if isinstance(error, RequestError) else None, "error": str(error)}
