"""Prints the kit's scores as a table: value, 95 % interval, target. Imports no torch."""

from collections.abc import Iterator, Mapping
from typing import Any

# At least, or for names in AT_MOST at most, this much.
TARGETS = {
    "base.background": 0.98, "base.colour": 0.96, "base.thing": 0.95, "base.all": 0.90, "base.two": 0.80,
    "base.negative_blue": 0.05, "vae.texture_psnr": 26.0, "style": 0.90, "thing": 0.85, "f1_on": 0.80, "f1_off": 0.35,
    "colour": 0.85, "inpaint.right": 0.80, "inpaint.border_step": 6.0, "inpaint.ordered": 0.95, "clip.top1": 0.90,
    "upscaler.gain_db": 3.0,
}  # fmt: skip
AT_MOST = ("base.negative_blue", "f1_off", "inpaint.border_step")
# Four steps are to keep this share of the base's score.
DRAFT_SHARE = 0.9
# What each word and measure of the families beside things is to reach.
FAMILY_SHARE = 0.9


def rows(scores: Mapping[str, Any]) -> Iterator[tuple[str, float, list[float] | None, float | None, bool]]:
    """Name, value, interval, target, and whether the target is reached, for each number."""
    for part, values in scores.items():
        if part in ("intervals", "details"):
            continue
        intervals = scores["intervals"].get(part, {})
        for name, value in (values | scores["details"].get(part, {})).items():
            if isinstance(value, Mapping):
                if part in ("styles", "control"):
                    for inner, number in value.items():
                        yield _row(f"{part}.{name}.{inner}", inner, number, intervals.get(name, {}).get(inner), scores)
            else:
                yield _row(f"{part}.{name}", f"{part}.{name}", value, intervals.get(name), scores)


def _row(name: str, key: str, value: float, interval: list[float] | None, scores: Mapping[str, Any]):
    target = FAMILY_SHARE if name.startswith("families.") else TARGETS.get(key)
    if name == "draft.all" and "base" in scores:
        target = round(DRAFT_SHARE * scores["base"]["all"], 4)
    reached = target is None or (value <= target if key in AT_MOST else value >= target)
    return name, value, interval, target, reached


def _number(name: str, value: float) -> str:
    last = name.rsplit(".", 1)[-1]
    if last.endswith(("psnr", "_db")):
        return f"{value:.2f} dB"
    if "f1" in last:
        return f"{value:.3f}"
    return f"{value:.2f}" if last == "border_step" else f"{value:.1%}"


def lines(scores: Mapping[str, Any]) -> Iterator[str]:
    """The table's lines."""
    yield f"{'':<30}{'value':>10}   {'95 % interval':<22}target"
    for name, value, interval, target, reached in rows(scores):
        between = f"{_number(name, interval[0])} to {_number(name, interval[1])}" if interval else ""
        key = name.rsplit(".", 1)[-1] if name.split(".")[0] in ("styles", "control") else name
        sign = "≤" if key in AT_MOST else "≥"
        wanted = f"{sign} {_number(name, target)}" if target is not None else ""
        yield f"{name:<30}{_number(name, value):>10}   {between:<22}{wanted}{'' if reached else '  missed'}".rstrip()
