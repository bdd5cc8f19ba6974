"""Scores the whole kit, part by part; a part whose files are absent is left out."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from toolkit.starter.evaluate import base_marks, draw, load_pipeline, wilson
from toolkit.starter.looks import LOOKS
from toolkit.starter.paths import FOLDER
from toolkit.starter.publish import contact_sheet
from toolkit.starter.score import Score
from toolkit.starter.score_clip import CLIP_FOLDER, evaluate_clip
from toolkit.starter.score_control import SCORED, control_folder, evaluate_control
from toolkit.starter.score_draft import DRAFT, evaluate_draft
from toolkit.starter.score_families import evaluate_families
from toolkit.starter.score_inpaint import evaluate_inpaint
from toolkit.starter.score_negative import evaluate_negative
from toolkit.starter.score_styles import evaluate_styles, style_file
from toolkit.starter.score_upscaler import UPSCALERS, evaluate_upscaler, upscaler_path
from toolkit.starter.score_vae import evaluate_vae
from toolkit.starter.words import keep_known

# How many pictures, in full and for a quick look.
STYLE_COUNTS, CONTROL_COUNTS, DRAFT_COUNTS = (40, 8), (60, 8), (100, 16)


def _base(folder: Path, quick: bool, sheets: Path) -> Score:
    """The base's shares; negative prompts are a detail of it."""
    pipeline = load_pipeline(folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    marks = base_marks(pipeline, card, quick)
    negative = evaluate_negative(pipeline, quick, sheets / "starter-negative.png")
    examples = card["examples"]
    pictures = draw(pipeline, [keep_known(one["prompt"], card) for one in examples], [one["seed"] for one in examples])
    contact_sheet(pictures, [one["prompt"] for one in examples], sheets / "starter-base.png")
    return Score(
        {name: round(sum(right) / len(right), 4) for name, right in marks.items()},
        {name: wilson(sum(right), len(right)) for name, right in marks.items()}
        | {f"negative_{name}": interval for name, interval in negative.intervals.items()},
        {f"negative_{name}": value for name, value in (negative.values | negative.details).items()},
    )


def _shares(values: dict[str, float], count: int) -> dict[str, list[float]]:
    """Intervals of shares over `count` pictures."""
    return {name: wilson(round(value * count), count) for name, value in values.items()}


def _styles(folder: Path, quick: bool, sheets: Path) -> Score:
    count = STYLE_COUNTS[quick]
    names = tuple(name for name in LOOKS if style_file(name).exists())
    found = evaluate_styles(count, names=names, sheet=sheets / "starter-styles.png")
    return Score(found, {name: _shares(values, count) for name, values in found.items()})


def _control(folder: Path, quick: bool, sheets: Path) -> Score:
    count = CONTROL_COUNTS[quick]
    found = evaluate_control(count, sheets=sheets)
    return Score(
        {name: score.values for name, score in found.items()},
        {name: score.intervals for name, score in found.items()},
        {f"{name}_f1_limit": score.details["f1_limit"] for name, score in found.items()},
    )


def _draft(folder: Path, quick: bool, sheets: Path) -> Score:
    count = DRAFT_COUNTS[quick]
    return evaluate_draft(count, sheet=sheets / "starter-draft.png")


def _there(part: str, folder: Path) -> bool:
    if part == "styles":
        return any(style_file(name).exists() for name in LOOKS)
    if part == "control":
        return any((control_folder(kind) / "config.json").exists() for kind in SCORED)
    needed = {"clip": CLIP_FOLDER / "config.json", "draft": DRAFT}
    needed["upscaler"] = upscaler_path(2, UPSCALERS)
    return needed.get(part, folder / "model_index.json").exists()


PARTS: dict[str, Callable[[Path, bool, Path], Score]] = {
    "base": _base,
    "families": lambda folder, quick, sheets: evaluate_families(
        load_pipeline(folder), json.loads((folder / "card.json").read_text(encoding="utf-8")), quick, sheets
    ),
    "vae": lambda folder, quick, sheets: evaluate_vae(folder, quick, sheets / "starter-vae.png"),
    "styles": _styles,
    "control": _control,
    "inpaint": lambda folder, quick, sheets: evaluate_inpaint(
        load_pipeline(folder), quick, sheets / "starter-inpaint.png", folder
    ),
    "clip": lambda folder, quick, sheets: evaluate_clip(quick=quick, sheet=sheets / "starter-clip.png"),
    "upscaler": lambda folder, quick, sheets: evaluate_upscaler(quick=quick, sheet=sheets / "starter-upscaler.png"),
    "draft": _draft,
}


def evaluate_kit(
    sheets: Path, only: Iterable[str] = (), quick: bool = False, folder: Path = FOLDER,
    tell: Callable[[str], None] = lambda part: None,
) -> dict[str, Any]:  # fmt: skip
    """The scores of each part under its name, 95 % intervals and more under "intervals" and "details".

    Writes a contact sheet for each part into `sheets` and calls `tell` with the name of each part as it begins.
    """
    wanted = [part for part in PARTS if (not only or part in only) and _there(part, folder)]
    scores: dict[str, Any] = {}
    intervals: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for part in wanted:
        tell(part)
        score = PARTS[part](folder, quick, sheets)
        scores[part], intervals[part] = score.values, score.intervals
        if score.details:
            details[part] = score.details
    return scores | {"intervals": intervals, "details": details}
