"""Writes the trained parts as an ordinary diffusers folder in half precision."""

import copy
import json
import os
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

STEPS = 1000
LAST_ALPHA = 1e-4


def alphas_cumprod() -> torch.Tensor:
    """Stable Diffusion's noise schedule shifted to end in (almost) pure noise, last value 1e-4. Shape (1000,), float64.

    Lin et al. 2023, "Common diffusion noise schedules and sample steps are flawed", algorithm 1; but not quite to zero,
    so that samplers which divide by it work too.
    """
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float64) ** 2
    roots = (1 - betas).cumprod(0).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    end = LAST_ALPHA**0.5
    return (end + (roots - last) * (first - end) / (first - last)) ** 2


def build_scheduler() -> DDIMScheduler:
    """The scheduler as it ships: other samplers take prediction type, betas and spacing from its config."""
    alphas = alphas_cumprod()
    betas = 1 - alphas / torch.cat([torch.ones(1, dtype=alphas.dtype), alphas[:-1]])
    return DDIMScheduler(
        num_train_timesteps=STEPS, trained_betas=betas.tolist(), prediction_type="v_prediction", clip_sample=False,
        set_alpha_to_one=True, steps_offset=1, timestep_spacing="trailing", rescale_betas_zero_snr=False,
    )  # fmt: skip


def build_pipeline(
    tokenizer: CLIPTokenizer, encoder: CLIPTextModel, denoiser: UNet2DConditionModel, vae: AutoencoderTiny
) -> StableDiffusionPipeline:
    """The parts as a pipeline without a safety checker."""
    return StableDiffusionPipeline(
        vae=vae, text_encoder=encoder, tokenizer=tokenizer, unet=denoiser, scheduler=build_scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def write_vae(model: AutoencoderTiny, folder: Path) -> None:
    """Puts an autoencoder into a pipeline's folder, in half precision."""
    copy.deepcopy(model).to("cpu", torch.float16).save_pretrained(folder / "vae")


def write_folder(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """Saves the pipeline in half precision to `folder`; its other files (card, README) stay."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    models = ("vae", "text_encoder", "unet")
    parts = {name: copy.deepcopy(getattr(pipeline, name)).to("cpu", torch.float16) for name in models}
    build_pipeline(pipeline.tokenizer, parts["text_encoder"], parts["unet"], parts["vae"]).save_pretrained(part)
    # transformers loads in the dtype its config names, diffusers in float32: without this they would not match.
    config = part / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2) + "\n")
    # Where a part was trained is nobody's business.
    for config in (part / name / "config.json" for name in models):
        kept = {key: value for key, value in json.loads(config.read_text()).items() if key != "_name_or_path"}
        config.write_text(json.dumps(kept, indent=2) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    for entry in sorted(part.iterdir()):
        target = folder / entry.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(entry, target)
    part.rmdir()
