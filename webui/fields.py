"""The form's inputs, which are Gradio's: what is typed, what is chosen from lists, and what the page's scripts hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from toolkit.samplers import SAMPLERS
from webui import form
from webui.view import shell

if TYPE_CHECKING:
    from gradio.components import Component

    from toolkit.studio import Studio

SCHEDULES = sorted({schedule for sampler in SAMPLERS for schedule in sampler.schedules})


def prompt_field(start: dict[str, Any]) -> dict[str, Component]:
    prompt = gr.Textbox(
        start["prompt"],
        label="Prompt",
        placeholder="Describe the picture you have in mind",
        lines=4,
        max_lines=12,
        elem_id="lm-f-prompt",
    )
    shell("prompt")
    return {"prompt": prompt}


def hidden_fields(start: dict[str, Any]) -> dict[str, Component]:
    """Inputs that only the scripts read and set: the page's own controls stand for them."""
    return {name: gr.Textbox(start[name], visible="hidden", elem_id=f"lm-f-{name}") for name in form.HIDDEN}


def model_fields(studio: Studio, start: dict[str, Any]) -> dict[str, Component]:
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


def number_fields(start: dict[str, Any]) -> dict[str, Component]:
    """The numbers behind the choices; an empty box leaves the choice to the model."""
    return {
        "steps": _number(start, "steps", "Steps", "More is cleaner and takes longer."),
        "guidance": _number(start, "guidance", "Guidance", "High follows the prompt closely and is harsh."),
        "width": _number(start, "width", "Width", "In pixels; close to the model’s own size works best."),
        "height": _number(start, "height", "Height", "In pixels; the shapes above fill in both sides."),
        "seed": _number(start, "seed", "Seed", "The same seed draws the same picture again."),
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


def advanced_fields(start: dict[str, Any]) -> dict[str, Component]:
    """What most people never need; the words are those of other studios, so that their advice can be followed."""
    return {
        "clip_skip": _number(start, "clip_skip", "Clip skip", "Reads the prompt so many layers less; 1 or 2."),
        "eta": _number(start, "eta", "Eta", "Fresh noise in each step, 0 to 1, where samplers add any."),
        "rescale": _number(
            start, "rescale", "Guidance rescale", "Takes back the contrast of high guidance, 0 to 1.", "0"
        ),
        "variation_seed": _number(
            start, "variation_seed", "Variation seed", "A second seed, which the picture is turned towards.", "none"
        ),
        "variation_strength": _number(
            start, "variation_strength", "Variation strength", "How far: 0 not at all, 1 completely.", "0.2"
        ),
    }


def _number(start: dict[str, Any], name: str, label: str, info: str, usual: str = "auto") -> gr.Textbox:
    attributes = gr.InputHTMLAttributes(autocomplete="off", spellcheck=False)
    return gr.Textbox(
        start[name],
        label=label,
        info=info,
        placeholder=usual,
        max_lines=1,
        elem_id=f"lm-f-{name}",
        html_attributes=attributes,
    )
