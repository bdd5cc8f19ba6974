"""What there is to choose from: styles, sizes, models, samplers and examples, as JSON for the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.adapters import ControlUse
from toolkit.controls import resolved
from toolkit.drafts import can_draft, few_step_loras
from toolkit.errors import ModelError, RequestError
from toolkit.jobs import OWNER
from toolkit.loras import take_tags
from toolkit.plugins.calls import refiners
from toolkit.prepare import MAX_STEPS
from toolkit.samplers import SAMPLERS
from toolkit.styles import PLACE, load_sizes
from webui.control_routes import preprocessors
from webui.export_routes import exporters
from webui.lora_cards import Strangers, lora_strangers, lora_views, loras_of
from webui.plugin_routes import finishing
from webui.tabs import page_tabs
from webui.vocabulary import vocabulary

if TYPE_CHECKING:
    from toolkit.jobs import Who
    from toolkit.model_files import ModelFile
    from toolkit.request import GenerationRequest
    from toolkit.studio import Studio
    from toolkit.styles import Style

SIZES = Path(__file__).resolve().parent.parent / "presets" / "sizes.toml"
# Above this small models begin to draw their things a second time in the larger picture.
REFINE_STRENGTH = 0.35
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


def catalogue(studio: Studio, who: Who, built: frozenset[str] | None = None) -> dict[str, Any]:
    """Everything to choose from, and the sentences about presets that were skipped. Reads files, so it may block."""
    studio.read_styles()
    problems = list(studio.styles.problems)
    models = studio.models.list()
    strangers = lora_strangers(studio, models)
    few_steps = few_step_loras(studio.models)
    return {
        "styles": [_style(style, models, strangers) for style in studio.styles.styles.values()],
        "sizes": _sizes(models, problems),
        "models": [_model(model, can_draft(model, studio.models, few_steps)) for model in models],
        "samplers": [
            {"name": s.name, "label": s.label, "schedules": list(s.schedules), "default_schedule": s.default_schedule}
            for s in SAMPLERS
        ],
        "examples": [example for model in models for example in _examples(model)],
        "tabs": [
            {"id": tab.id, "title": tab.title}
            for tab in page_tabs(studio)
            if (who.role == OWNER.role or not tab.owner_only) and (built is None or tab.id in built)
        ],
        **finishing(studio),
        "loras": lora_views(studio, strangers),
        "controls": _controls(studio, models),
        "preprocessors": preprocessors(studio),
        "upscalers": [{"name": file.name, "title": file.title} for file in studio.models.files("upscaler")],
        "refiners": _refiners(studio),
        "exports": exporters(studio),
        "notes": bool(studio.plugins.registry.implementations("describe_image")),
        "rewrites": studio.plugins.rewrites,
        "max_steps": MAX_STEPS if who.role == OWNER.role else studio.limits.visitor_steps,
        "problems": problems,
    }


def _refiners(studio: Studio) -> list[dict[str, str]]:
    """What can enlarge between the two passes of a refined picture."""
    usual = {"lanczos": "Lanczos", "latent": "Latents"}
    steps = studio.plugins.registry.steps()
    return [{"name": name, "label": usual.get(name) or steps[name].label} for name in refiners(studio.plugins)]


def unknown(studio: Studio, prompt: str, model_name: str) -> dict[str, Any]:
    """The words of a prompt that a model doesn't know; only a model whose card lists its words can say."""
    try:
        model = studio.models.find(model_name) if model_name in {m.id for m in studio.models.list()} else None
    except ModelError:
        model = None
    words = _unknown_words(prompt, model) if model is not None else []
    return {"unknown": words, "sentence": _sentence(words, model)}


def expansion(studio: Studio, request: GenerationRequest) -> dict[str, Any]:
    """The words that will be drawn, the seed that chose them, and whether plugins changed them; nothing is queued."""
    expanded, rewritten = studio.expand(request)
    prompt, negative = (take_tags(text)[0] for text in (expanded.prompt, expanded.negative))
    return {"prompt": prompt, "negative": negative, "seed": expanded.seed, "rewritten": rewritten}


def example_file(studio: Studio, model_id: str, number: int) -> Path | None:
    """The picture of a model's example; only a file inside the model's own folder."""
    model = next((model for model in studio.models.list() if model.id == model_id), None)
    examples = model.card.get("examples", []) if model is not None else []
    if model is None or not 0 <= number < len(examples):
        return None
    return _example_path(model, examples[number])


def _unknown_words(prompt: str, model: ModelFile) -> list[str]:
    if not model.card.get("known_words"):
        return []
    from toolkit.starter.words import unknown_words

    return list(unknown_words(prompt, model.card))


def _style(style: Style, models: list[ModelFile], strangers: Strangers) -> dict[str, Any]:
    brought = loras_of(style)
    words = (take_tags(style.prompt)[0] if brought else style.prompt).replace(PLACE, " ")
    misfits = {id: made_for for name in brought for id, made_for in strangers.get(name, {}).items()}
    return {
        "id": style.id,
        "name": style.name,
        "group": style.group,
        "description": style.description,
        "prompt": style.prompt,
        "negative": style.negative,
        "preview": f"/limner/styles/{style.id}/preview" if style.preview_path is not None else None,
        "misfits": misfits,
        "unknown_to": [model.id for model in models if _unknown_words(words, model)],
    }


def _sizes(models: list[ModelFile], problems: list[str]) -> list[dict[str, Any]]:
    plain = []
    for named in load_sizes(SIZES, problems):
        at = {m.id: list(named.at(m.card["native_size"], int(m.card["size_multiple"]))) for m in models}
        first = next(iter(at.values()), list(named.size))
        plain.append(
            {
                "id": named.id,
                "name": named.name,
                "group": named.group,
                "note": named.note,
                "ratio": named.ratio[0] / named.ratio[1],
                "width": first[0],
                "height": first[1],
                "at": at,
            }
        )
    return plain


def _model(model: ModelFile, drafts: bool) -> dict[str, Any]:
    card = model.card
    return {
        "id": model.id,
        "title": model.title,
        "family": model.family,
        "licence": model.licence,
        "bytes": model.bytes,
        "native_size": list(card["native_size"]),
        "size_multiple": card["size_multiple"],
        "defaults": dict(card["defaults"]),
        "refine_strength": card.get("refine_strength", REFINE_STRENGTH),
        "draft": drafts,
        "known_words": len(card.get("known_words") or ()),
        "vocabulary": vocabulary(card),
    }


def lora_preview(studio: Studio, name: str) -> Path | None:
    """The picture beside a LoRA's file."""
    return next((file.preview for file in studio.models.files("lora") if file.name == name), None)


def _controls(studio: Studio, models: list[ModelFile]) -> list[dict[str, Any]]:
    """Kinds of control, each with the models for which there is a ControlNet of that kind."""
    kinds = studio.plugins.registry.controls()

    def fits(kind: str, model: ModelFile) -> bool:
        try:
            return bool(resolved((ControlUse(kind, ""),), model, studio.models, kinds))
        except (RequestError, ModelError):
            return False

    return [
        {
            "name": kind.name,
            "label": kind.label,
            "help": kind.help,
            "preprocessor": kind.preprocessor,
            "fits": [model.id for model in models if fits(kind.name, model)],
        }
        for kind in kinds.values()
    ]


def _examples(model: ModelFile) -> list[dict[str, Any]]:
    return [
        {
            "model": model.id,
            "prompt": example["prompt"],
            "seed": example.get("seed"),
            "picture": f"/limner/models/{model.id}/examples/{number}" if _example_path(model, example) else None,
        }
        for number, example in enumerate(model.card.get("examples") or ())
    ]


def _example_path(model: ModelFile, example: dict[str, Any]) -> Path | None:
    name = example.get("file") or example.get("image")
    if not isinstance(name, str):
        return None
    folder = Path(model.path).resolve()
    path = (folder / name).resolve()
    return path if path.is_relative_to(folder) and path.suffix.lower() in PICTURES and path.is_file() else None


def _sentence(words: list[str], model: ModelFile | None) -> str:
    if not words or model is None:
        return ""
    named = ", ".join(f"“{word}”" for word in words[:5]) + (" and others" if len(words) > 5 else "")
    return f"The starter model doesn't know {named}; a bigger model will."
