"""Models and LoRAs that draw in a few steps: by which method, and so how they are sampled. Imports no torch.

A file says so by its tensors (a denoiser that is told the guidance was distilled with it), by what its maker or a site
for models wrote ("SDXL Lightning"), and else by its name, which also tells the number of steps ("4step", "8-steps").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toolkit.sidecars import told

if TYPE_CHECKING:
    from toolkit.model_files import WeightsFile


@dataclass(frozen=True, slots=True)
class Way:
    """A distillation by its makers' word for it, and how it is sampled; `steps` where a name says no number."""

    word: str
    sampler: str
    schedule: str
    steps: int
    guidance: float = 1.0

    @property
    def defaults(self) -> dict[str, Any]:
        """As a model's card writes them."""
        return {
            "sampler": self.sampler, "schedule": self.schedule, "steps": self.steps, "guidance": self.guidance,
        }  # fmt: skip


WAYS: Mapping[str, Way] = {
    way.word: way
    for way in (
        Way("draft", "ddim", "normal", 4),  # the starter's own
        Way("lcm", "lcm", "normal", 6, 1.5),  # Luo et al. 2023
        Way("lightning", "euler", "sgm_uniform", 4),  # Lin et al. 2024
        Way("hyper", "tcd", "normal", 8),  # Ren et al. 2024
        Way("dmd2", "lcm", "normal", 4),  # Yin et al. 2024
        Way("pcm", "ddim", "sgm_uniform", 4),  # Wang et al. 2024
        Way("turbo", "euler_a", "sgm_uniform", 4),  # Sauer et al. 2023
    )
}
# A denoiser that takes the guidance as an input is told 8, with which consistency models were distilled.
GUIDED = replace(WAYS["lcm"], steps=4, guidance=8.0)
# Words that mean nothing else; the others are also subjects of pictures ("lightning bolts").
_SURE = ("lcm", "dmd2", "pcm")
_FAMILIES = {"sd", "sdxl", "xl", "sdv", "sd15", "ssd"}
_TOKENS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_STEPS = re.compile(r"(\d{1,2})[-_ ]?steps?", re.IGNORECASE)


def way_of(name: str) -> Way | None:
    """The distillation that a file's name tells, with the steps that it says."""
    words, steps = _words(name), _STEPS.search(name)
    word = next((word for word in _SURE if word in words), None)
    if word is None and (steps or words & _FAMILIES):
        word = next((word for word in ("lightning", "hyper", "turbo") if word in words), None)
    if word is None and re.search(r"[-_]draft$", name.lower()):
        word = "draft"
    return _with_steps(WAYS[word], steps) if word else None


def way_told(facts: Mapping[str, Any]) -> Way | None:
    """The distillation that tensors, a maker's words or a site's notes tell."""
    if "guided" in facts.get("marks", ()):
        return GUIDED
    said = " ".join(str(facts.get(name, "")) for name in ("base", "architecture"))
    words = _words(said)
    word = next((word for word in WAYS if word != "draft" and word in words), None)
    if word is not None:
        return _with_steps(WAYS[word], _STEPS.search(str(facts.get("title", ""))))
    return way_of(str(facts.get("title", "")))


def way_of_file(name: str, facts: Mapping[str, Any]) -> Way | None:
    """What the facts of a file tell, else its name."""
    own, by_name = way_told(facts), way_of(name)
    if own is not None and by_name is not None and own.word == by_name.word:
        return by_name if _STEPS.search(name) else own
    return own or by_name


def way_of_lora(file: WeightsFile) -> Way | None:
    """The distillation that a LoRA carries, also by what stands beside its file."""
    return way_of_file(file.name, file.facts) or way_told(told(file))


def _words(text: str) -> set[str]:
    """Words in small letters, those within words in camel case too."""
    return {*re.split(r"[^a-z0-9]+", text.lower()), *(token.lower() for token in _TOKENS.findall(text))}


def _with_steps(way: Way, steps: re.Match[str] | None) -> Way:
    return replace(way, steps=int(steps[1])) if steps and 0 < int(steps[1]) <= 50 else way
