"""The desk: the form on the left, canvas and stage in the middle, recent pictures beside or below it.

Create, Rework and Inpaint are the same desk: they differ in where the picture starts, which is one field of the form.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gradio as gr

from toolkit.errors import LimnerError, RequestError
from toolkit.request import GenerationRequest
from webui import form
from webui.fields import advanced_fields, hidden_fields, model_fields, number_fields, prompt_field
from webui.view import shell
from webui.visitors import who_of

if TYPE_CHECKING:
    from gradio.components import Component

    from toolkit.studio import Studio


def build_create(studio: Studio, page: gr.Blocks) -> None:
    """Put the desk into `page`, which is being built."""
    start = form.fill(GenerationRequest())
    with gr.Row(elem_id="lm-desk"):
        with gr.Column(elem_id="lm-panel"):
            inputs = prompt_field(start)
            with gr.Row(elem_id="lm-drawbar"):
                draw = gr.Button("Draw", variant="primary", elem_id="lm-draw")
                shell("drawbar")
            shell("start")
            shell("choices")
            shell("styles")
            inputs |= model_fields(studio, start)
            # Empty places that scripts fill: LoRAs, control pictures, finishing steps.
            shell("places")
            shell("numbers")
            with gr.Column(elem_id="lm-numbers"):
                inputs |= number_fields(start)
            shell("advanced")
            with gr.Column(elem_id="lm-advanced"):
                inputs |= advanced_fields(start)
            inputs |= hidden_fields(start)
        with gr.Column(elem_id="lm-main"):
            shell("canvas")
            shell("stage")
            shell("jobs")
        with gr.Column(elem_id="lm-side"):
            shell("recent")
    _wire(studio, page, draw, [inputs[name] for name in form.NAMES])


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
    # What the scripts hold may be newer than what Gradio knows, and a mask may still be on its way to the studio.
    asked = draw.click(
        on_draw,
        inputs,
        answer,
        trigger_mode="multiple",
        js="async (...values) => (await window.limner.ready).asking(values)",
        **direct,
    )
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
