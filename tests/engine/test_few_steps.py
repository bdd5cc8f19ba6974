"""A denoiser that is told the guidance (LCM) draws what diffusers draws with it, alone and beside others."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.engine.conftest import make_tiny_model
from toolkit import GenerationRequest
from toolkit.settings import load_settings
from toolkit.studio import Studio

PROMPT = "a red fish on white"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from diffusers import LCMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    folder = make_tiny_model(tmp_path_factory.mktemp("models") / "told")
    plain = UNet2DConditionModel.from_pretrained(folder / "unet")
    torch.manual_seed(3)
    unet = UNet2DConditionModel.from_config({**plain.config, "time_cond_proj_dim": 16})
    torch.nn.init.normal_(unet.time_embedding.cond_proj.weight, std=0.2)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, unet=unet)
    pipeline.scheduler = LCMScheduler.from_config(pipeline.scheduler.config)
    pipeline.save_pretrained(folder)
    card = json.loads((folder / "card.json").read_text())
    del card["defaults"]
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_it_is_known_by_its_denoiser_and_drawn_as_diffusers_draws_it(folder, tmp_path):
    from diffusers import StableDiffusionPipeline

    settings = load_settings(data=tmp_path, dtype="float32", models=[folder.parent])
    with Studio(settings=settings) as studio:
        request = studio.prepare(GenerationRequest(PROMPT, model="told", seed=5, draft=True))
        sampling = request.sampling
        assert (sampling.sampler, sampling.steps, sampling.guidance) == ("lcm", 4, 8.0)
        jobs = [studio.submit(request.with_(guidance=guidance, seed=5)) for guidance in (8.0, 3.0)]
        ours = [np.asarray(job.wait(timeout=120)[0].image, dtype=np.float32) for job in jobs]
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    for mine, guidance in zip(ours, (8.0, 3.0), strict=True):
        theirs = pipeline(
            PROMPT, num_inference_steps=4, guidance_scale=guidance, width=64, height=64,
            generator=torch.Generator().manual_seed(5),
        ).images[0]  # fmt: skip
        assert np.abs(mine - np.asarray(theirs, dtype=np.float32)).max() <= 2
    assert np.abs(ours[0] - ours[1]).max() > 2
