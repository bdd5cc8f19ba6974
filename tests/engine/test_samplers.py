"""Every sampler with every schedule it claims leads to the picture, when the denoiser knows which one it is."""

from __future__ import annotations

import inspect

import diffusers
import pytest
import torch

from toolkit.samplers import SAMPLERS, scheduler_options
from toolkit.weights import read_json

STEPS = 12
# DEIS and TCD stop at the first noise level of the model: 0.03 of a normal, four of it at most. PLMS extrapolates over
# steps that rounding has made unequal.
LEFT_OVER = {"deis": 0.15, "tcd": 0.15, "plms": 0.01}
SD1 = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
    "prediction_type": "epsilon", "steps_offset": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def configs():
    from toolkit.models import ModelIndex
    from toolkit.studio import ROOT

    folder = ModelIndex([ROOT / "models" / "checkpoints"]).find("limner-starter").path
    return {"epsilon": SD1, "v_prediction": read_json(folder / "scheduler" / "scheduler_config.json")}


def combinations():
    """Every sampler with each schedule it claims, for each kind of model it is right for."""
    return [
        pytest.param(one, name, prediction, id=f"{one.name}-{name}-{prediction}")
        for one in SAMPLERS
        for name in one.schedules
        for prediction in ("epsilon", "v_prediction")
        if prediction in one.predictions
    ]


@pytest.mark.parametrize(("sampler", "schedule", "prediction"), combinations())
def test_a_denoiser_that_knows_the_picture_is_led_to_it(sampler, schedule, prediction, configs):
    config = configs[prediction]
    kind = getattr(diffusers, sampler.scheduler)
    scheduler = kind.from_config(config, **scheduler_options(sampler, schedule))
    scheduler.set_timesteps(STEPS)
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(1, 4, 8, 8, generator=generator) * 0.8
    latents = torch.randn(1, 4, 8, 8, generator=generator) * scheduler.init_noise_sigma
    seeded = {"generator": generator} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for step in scheduler.timesteps:
        guess = _oracle(config, scheduler.scale_model_input(latents, step), float(step), clean)
        latents = scheduler.step(guess, step, latents, return_dict=False, **seeded)[0]
    assert (latents - clean).abs().max() < LEFT_OVER.get(sampler.name, 2e-3)
    calls = len(scheduler.timesteps)
    assert calls in ({2 * STEPS - 1} if sampler.calls == 2 else {STEPS, STEPS + (sampler.name == "plms")})


def _oracle(config, noised, step, clean):
    """What a perfect model predicts for latents (1, 4, 8, 8) at a step that may lie between two of its own."""
    levels = diffusers.DDIMScheduler.from_config(config).alphas_cumprod.log()
    below = int(step)
    part = step - below
    alpha = (levels[below] * (1 - part) + levels[min(below + 1, len(levels) - 1)] * part).exp()
    noise = (noised - alpha.sqrt() * clean) / (1 - alpha).sqrt()
    if config["prediction_type"] == "epsilon":
        return noise
    return alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
