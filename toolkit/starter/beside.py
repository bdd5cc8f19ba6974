"""The stages that train something beside the finished base: styles, ControlNets, draft. Each ends with its scores."""

from pathlib import Path

from toolkit.starter.control import train_control
from toolkit.starter.draft import train_draft
from toolkit.starter.look_judge import WEIGHTS, train_look_judge
from toolkit.starter.looks import LOOKS
from toolkit.starter.release import card_draft, card_styles, write_draft, write_styles
from toolkit.starter.release_control import card_control, write_control
from toolkit.starter.styles import train_style

CONTROL = {"control": "lines", "depth": "depth"}


def train_beside(stage: str, work: Path, minutes: float, resume: bool) -> dict:
    """Trains a stage, ships its files with cards and sheet, and returns its scores. `minutes` are those of one look."""
    if stage == "styles":
        if not (resume and WEIGHTS.exists()):
            train_look_judge()
        write_styles({look: train_style(look, work, minutes, resume) for look in LOOKS})
        return card_styles()
    if stage in CONTROL:
        kind = CONTROL[stage]
        write_control(kind, train_control(kind, work, minutes, resume))
        return card_control(kind)
    write_draft(train_draft(work, minutes, resume))
    return {"draft": card_draft()}
