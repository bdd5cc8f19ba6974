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
    options: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampler:
    """A sampler, the class of `diffusers` behind it, and the schedules that class can follow.

    `default_schedule` is what "auto" means for a model that says nothing else, as in A1111's "Automatic". `calls` is
    how often a step asks the denoiser. `eta` says whether the sampler takes that number, `most_steps` where it ends,
    `predictions` which kinds of model it is right for.
    """

    name: str
    label: str
    scheduler: str
    aliases: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    schedules: tuple[str, ...] = ("normal",)
    default_schedule: str = "normal"
    calls: int = 1
    eta: bool = False
    most_steps: int | None = None
    predictions: tuple[str, ...] = ("epsilon", "v_prediction", "sample")


SCHEDULES = (
    Schedule("normal", "Normal", aliases=("uniform",)),
    Schedule("karras", "Karras", {"use_karras_sigmas": True}),
    Schedule("exponential", "Exponential", {"use_exponential_sigmas": True}, ("polyexponential",)),
    Schedule("beta", "Beta", {"use_beta_sigmas": True}),
    Schedule("sgm_uniform", "SGM Uniform", {"timestep_spacing": "trailing"}, ("simple",)),
    Schedule("ddim", "DDIM", {"timestep_spacing": "leading", "steps_offset": 1}),
)

_SPACED = ("normal", "sgm_uniform", "ddim")
_ALL = tuple(schedule.name for schedule in SCHEDULES)
# Not Beta: its last steps are so unequal that extrapolating from the ones before leaves noise in the picture.
_MULTISTEP = tuple(name for name in _ALL if name != "beta")
# The singlestep class has no spacing of its own.
_SINGLESTEP = ("normal", "karras", "exponential")


def _dpm(kind: str, **others: Any) -> dict[str, Any]:
    return {"algorithm_type": kind, "solver_order": 2, **others}


SAMPLERS = (
    Sampler("ddim", "DDIM", "DDIMScheduler", options={"clip_sample": False}, schedules=_SPACED, eta=True),
    Sampler(
        "euler", "Euler", "EulerDiscreteScheduler", aliases=("k_euler", "sample_euler", "euler_discrete"),
        schedules=_ALL,
    ),
    Sampler(
        "euler_a", "Euler a", "EulerAncestralDiscreteScheduler", schedules=_SPACED,
        aliases=("k_euler_a", "k_euler_ancestral", "euler ancestral", "sample_euler_ancestral"),
    ),
    Sampler(
        "dpmpp_2m", "DPM++ 2M", "DPMSolverMultistepScheduler", options=_dpm("dpmsolver++"), schedules=_MULTISTEP,
        aliases=("k_dpmpp_2m", "k_dpmpp_2m_ka", "dpm++ 2m v2", "sample_dpmpp_2m"), default_schedule="karras",
    ),
    Sampler("unipc", "UniPC", "UniPCMultistepScheduler", aliases=("uni_pc", "uni_pc_bh2"), schedules=_MULTISTEP),
    Sampler(
        "dpmpp_sde", "DPM++ SDE", "DPMSolverSinglestepScheduler", options=_dpm("sde-dpmsolver++"),
        aliases=("k_dpmpp_sde", "k_dpmpp_sde_ka", "sample_dpmpp_sde"), schedules=_SINGLESTEP, default_schedule="karras",
    ),
    Sampler(
        "dpmpp_2m_sde", "DPM++ 2M SDE", "DPMSolverMultistepScheduler", options=_dpm("sde-dpmsolver++"),
        aliases=("k_dpmpp_2m_sde", "k_dpmpp_2m_sde_ka", "sample_dpmpp_2m_sde"), schedules=_MULTISTEP,
        default_schedule="exponential",
    ),
    Sampler(
        "dpmpp_2m_sde_heun", "DPM++ 2M SDE Heun", "DPMSolverMultistepScheduler",
        aliases=("k_dpmpp_2m_sde_heun", "k_dpmpp_2m_sde_he_ka"), schedules=_MULTISTEP, default_schedule="exponential",
        options=_dpm("sde-dpmsolver++", solver_type="heun"),
    ),
    Sampler(
        "dpmpp_3m_sde", "DPM++ 3M SDE", "DPMSolverMultistepScheduler", schedules=_MULTISTEP,
        aliases=("k_dpmpp_3m_sde", "k_dpmpp_3m_sde_ka", "sample_dpmpp_3m_sde"), default_schedule="exponential",
        options={"algorithm_type": "sde-dpmsolver++", "solver_order": 3},
    ),
    Sampler(
        "heun", "Heun", "HeunDiscreteScheduler", aliases=("k_heun", "sample_heun"), schedules=_ALL, calls=2,
    ),
    Sampler(
        "dpm2", "DPM2", "KDPM2DiscreteScheduler", aliases=("k_dpm_2", "k_dpm_2_ka", "sample_dpm_2"), schedules=_ALL,
        default_schedule="karras", calls=2,
    ),
    Sampler(
        "dpm2_a", "DPM2 a", "KDPM2AncestralDiscreteScheduler", schedules=_ALL, default_schedule="karras", calls=2,
        aliases=("k_dpm_2_a", "k_dpm_2_a_ka", "sample_dpm_2_ancestral"),
    ),
    Sampler("lms", "LMS", "LMSDiscreteScheduler", aliases=("k_lms", "sample_lms"), schedules=_ALL),
    Sampler("deis", "DEIS", "DEISMultistepScheduler", schedules=_MULTISTEP),
    # It extrapolates predicted noise, which a v-prediction model only gives by a division that explodes in its first
    # steps.
    Sampler(
        "plms", "PLMS", "PNDMScheduler", aliases=("pndm",), schedules=_SPACED, predictions=("epsilon",),
        options={"skip_prk_steps": True, "set_alpha_to_one": True},
    ),
    Sampler("ddpm", "DDPM", "DDPMScheduler", options={"clip_sample": False}, schedules=_SPACED),
    Sampler("lcm", "LCM", "LCMScheduler", most_steps=50, aliases=("sample_lcm",)),
    Sampler("tcd", "TCD", "TCDScheduler", most_steps=50, eta=True),
)  # fmt: skip


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
            if wanted in {f"{own} {word}" for own in _names(sampler) for word in _schedule_names(schedule)}:
                return sampler, schedule.name
    existing = ", ".join(sampler.label for sampler in SAMPLERS)
    raise RequestError("sampling.sampler", f"There is no sampler called “{name}”. There are {existing}.")


def find_schedule(name: str) -> Schedule:
    """The schedule called `name` (name or label); raise RequestError for anything else."""
    wanted = _plain(name)
    for schedule in SCHEDULES:
        if wanted in _schedule_names(schedule):
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


def check_sampler(sampler: Sampler, prediction: str, steps: int, eta: float | None) -> None:
    """Raise RequestError when a model of this prediction type can't be drawn so; `prediction` as diffusers names it."""
    if prediction not in sampler.predictions:
        raise RequestError(
            "sampling.sampler", f"{sampler.label} doesn't work with this model, which predicts {prediction}. Try DDIM."
        )
    if sampler.most_steps and steps > sampler.most_steps:
        raise RequestError("sampling.steps", f"{sampler.label} takes at most {sampler.most_steps} steps, not {steps}.")
    if eta is None:
        return
    if not sampler.eta:
        can = " or ".join(other.label for other in SAMPLERS if other.eta)
        raise RequestError("sampling.eta", f"{sampler.label} has no eta; leave it empty or draw with {can}.")
    if not 0 <= eta <= 1:
        raise RequestError("sampling.eta", f"An eta of {eta:g} won't work: choose from 0 to 1.")


def denoiser_calls(sampler: Sampler, steps: int) -> int:
    """How often `steps` steps ask the denoiser: a step of a second-order sampler twice, but for its last."""
    return 2 * steps - 1 if sampler.calls == 2 else steps + (sampler.name == "plms")


def scheduler_options(sampler: Sampler, schedule: str) -> dict[str, Any]:
    """The options that make `sampler.scheduler` follow `schedule`, every other schedule switched off."""
    switches = {
        name: False
        for other in SCHEDULES
        for name, on in other.options.items()
        if on is True and other.name in sampler.schedules
    }
    return {**sampler.options, **switches, **find_schedule(schedule).options}


def table() -> str:
    """The samplers as the Markdown table of docs/samplers.md."""
    lines = ["| sampler | diffusers class | options | schedules (first: its own) |", "|---|---|---|---|"]
    for sampler in SAMPLERS:
        options = ", ".join(f"`{name}={value!r}`" for name, value in sampler.options.items()) or "–"
        rest = [name for name in sampler.schedules if name != sampler.default_schedule]
        labels = ", ".join(find_schedule(name).label for name in (sampler.default_schedule, *rest))
        lines.append(f"| {sampler.label} | `{sampler.scheduler}` | {options} | {labels} |")
    return "\n".join(lines) + "\n"


def _names(sampler: Sampler) -> set[str]:
    return {_plain(own) for own in (sampler.name, sampler.label, *sampler.aliases)}


def _schedule_names(schedule: Schedule) -> set[str]:
    return {_plain(own) for own in (schedule.name, schedule.label, *schedule.aliases)}


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())
