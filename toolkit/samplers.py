"""Samplers under the names people know, and the diffusers scheduler each one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.errors import RequestError


@dataclass(frozen=True, slots=True)
class Schedule:
    """A spacing of the noise levels over the steps; `options` switch it on in a diffusers scheduler."""

    name: str
    label: str
    options: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sampler:
    """A sampler, the class of `diffusers` behind it, and the schedules that class can follow.

    `default_schedule` is what "auto" means for a model that says nothing else, as in A1111's "Automatic".
    """

    name: str
    label: str
    scheduler: str
    aliases: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    schedules: tuple[str, ...] = ("normal",)
    default_schedule: str = "normal"


SCHEDULES = (
    Schedule("normal", "Normal"),
    Schedule("karras", "Karras", {"use_karras_sigmas": True}),
    Schedule("exponential", "Exponential", {"use_exponential_sigmas": True}),
    Schedule("beta", "Beta", {"use_beta_sigmas": True}),
)

_ALL = tuple(schedule.name for schedule in SCHEDULES)
# Not Beta: its last steps are so unequal that extrapolating from the ones before leaves noise in the picture.
_MULTISTEP = ("normal", "karras", "exponential")

SAMPLERS = (
    Sampler("ddim", "DDIM", "DDIMScheduler", aliases=("plms",)),
    Sampler("euler", "Euler", "EulerDiscreteScheduler", aliases=("k_euler", "sample_euler"), schedules=_ALL),
    Sampler(
        "euler_a",
        "Euler a",
        "EulerAncestralDiscreteScheduler",
        aliases=("k_euler_a", "k_euler_ancestral", "euler ancestral", "sample_euler_ancestral"),
    ),
    Sampler(
        "dpmpp_2m",
        "DPM++ 2M",
        "DPMSolverMultistepScheduler",
        aliases=("k_dpmpp_2m", "k_dpmpp_2m_ka", "dpm++ 2m v2", "sample_dpmpp_2m"),
        options={"algorithm_type": "dpmsolver++", "solver_order": 2},
        schedules=_MULTISTEP,
        default_schedule="karras",
    ),
    Sampler("unipc", "UniPC", "UniPCMultistepScheduler", aliases=("uni_pc", "uni_pc_bh2"), schedules=_MULTISTEP),
)


def find_sampler(name: str) -> tuple[Sampler, str | None]:
    """The sampler called `name`: its name, label or alias, or the old "DPM++ 2M Karras" with the schedule inside.

    The second value is the schedule that stood in the name, else None. Raises RequestError for anything else.
    """
    wanted = _plain(name)
    for sampler in SAMPLERS:
        if wanted in _names(sampler):
            return sampler, None
    for sampler in SAMPLERS:
        for schedule in SCHEDULES:
            if any(wanted == f"{own} {schedule.name}" for own in _names(sampler)):
                return sampler, schedule.name
    existing = ", ".join(sampler.label for sampler in SAMPLERS)
    raise RequestError("sampling.sampler", f"There is no sampler called “{name}”. There are {existing}.")


def find_schedule(name: str) -> Schedule:
    """The schedule called `name` (name or label); raise RequestError for anything else."""
    wanted = _plain(name)
    for schedule in SCHEDULES:
        if wanted in (schedule.name, _plain(schedule.label)):
            return schedule
    existing = ", ".join(schedule.label for schedule in SCHEDULES)
    raise RequestError("sampling.schedule", f"There is no schedule called “{name}”. There are {existing}.")


def choose_schedule(sampler: Sampler, asked: str, preferred: str | None = None) -> str:
    """The schedule to follow when `asked` is a name or "auto" and the model prefers `preferred`.

    Raises RequestError when the sampler can't follow the schedule that was asked for.
    """
    if _plain(asked) not in ("auto", "automatic"):
        schedule = find_schedule(asked)
        if schedule.name not in sampler.schedules:
            can = ", ".join(find_schedule(name).label for name in sampler.schedules)
            raise RequestError(
                "sampling.schedule", f"{sampler.label} can't follow the {schedule.label} schedule. It can follow {can}."
            )
        return schedule.name
    return preferred if preferred in sampler.schedules else sampler.default_schedule


def scheduler_options(sampler: Sampler, schedule: str) -> dict[str, Any]:
    """The options that make `sampler.scheduler` follow `schedule`, every other schedule switched off."""
    switches = {name: False for other in SCHEDULES for name in other.options if other.name in sampler.schedules}
    return {**sampler.options, **switches, **find_schedule(schedule).options}


def _names(sampler: Sampler) -> set[str]:
    return {_plain(own) for own in (sampler.name, sampler.label, *sampler.aliases)}


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())
