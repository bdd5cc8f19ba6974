"""Trains the starter's denoiser, a thin UNet2DConditionModel, on cached latents and fresh captions."""

import copy
import random
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from toolkit.engine.tiling import tiled
from toolkit.starter.cache import LatentCache
from toolkit.starter.folder import STEPS, alphas_cumprod, build_pipeline, write_folder
from toolkit.starter.stage import Budget, device_and_dtype, save_atomically, taking_up
from toolkit.starter.text import WIDTH, token_ids

PEAK_RATE, WARM_UP, CAPTION_DROPOUT = 1e-3, 200, 0.1
# A trained denoiser that learns more families.
LATER_RATE = 6e-4
# How many steps show patterns alone, with convolutions that wrap around, so that tiling at any phase is known too.
TILED_PART = 0.15
SNR_KNEE = 5.0
SAVE_EVERY = 240.0
# How far beyond the first stage's the seeds of a later one's scenes begin.
STAGE_SEEDS = {"things": 40_000_000}


def build_denoiser() -> UNet2DConditionModel:
    """An untrained denoiser of 8.5 M parameters: thin at 32 x 32, attention only at 8 x 8 and 4 x 4, for the layout."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=32, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(32, 64, 128, 160),
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH, attention_head_dim=4, norm_num_groups=8,
    )  # fmt: skip


def spread_timesteps(count: int) -> torch.Tensor:
    """Half evenly spread, half leaning to the noisy end, where place and colour are decided."""
    spread = (torch.arange(count) + torch.rand(count)) / count
    lean = torch.rand(count) < 0.5
    return (torch.where(lean, spread.sqrt(), spread) * STEPS).long().clamp(max=STEPS - 1)


class DenoiserTraining:
    """The state of the denoiser's training: weights, their slow average, optimizer, clock and latents."""

    def __init__(
        self, work: Path, minutes: float, batch: int, room: int, start: Path | None, more: Mapping[str, float],
        stage: str,
    ):  # fmt: skip
        self.work, self.size, self.saved = work, batch, work / f"{stage}.pt"
        self.start, self.more = start, dict(more)
        self.usual = 1 - sum(more.values())
        self.peak = LATER_RATE * self.usual if start else PEAK_RATE
        self.device, self.dtype = device_and_dtype()
        self.tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
        self.encoder = CLIPTextModel.from_pretrained(work / "text_encoder").to(self.device).eval().requires_grad_(False)
        vae = AutoencoderTiny.from_pretrained(work / "vae").to(self.device, memory_format=torch.channels_last).eval()
        self.cache = LatentCache(vae, room)
        model = UNet2DConditionModel.from_pretrained(start, subfolder="unet") if start else build_denoiser()
        self.model = model.to(self.device, memory_format=torch.channels_last)
        # On a CPU the fused attention's backward is the slowest operation at these sizes; plain products are faster.
        if self.device.type == "cpu":
            self.model.set_attn_processor(AttnProcessor())
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), self.peak, betas=(0.9, 0.99), fused=True)
        self.budget, self.rng = Budget(minutes * 60, stage), random.Random(0)
        self.alphas = alphas_cumprod().float()
        self.losses: list[float] = []

    def resume(self) -> bool:
        """Takes up a saved state, if there is one."""
        if not self.saved.exists():
            return False
        with taking_up(self.saved, self.device) as state:
            for name in ("model", "average", "optimizer"):
                getattr(self, name).load_state_dict(state[name])
        self.budget.load(state["budget"])
        self.rng.seed(self.budget.step)
        torch.manual_seed(self.budget.step)
        return True

    def save(self) -> None:
        """Writes the averaged weights as a pipeline folder that can be tried at once, and the state.

        In this order: a state whose time is used up stands for a folder that is written.
        """
        write_folder(self.pipeline(), self.work / "folder")
        state = {name: getattr(self, name).state_dict() for name in ("model", "average", "optimizer")}
        save_atomically(state | {"budget": self.budget.state()}, self.saved)
        self.budget.pause()

    def pipeline(self):
        """The averaged weights with the other parts, as a pipeline."""
        return build_pipeline(self.tokenizer, self.encoder, self.average, self.cache.vae)

    def step(self) -> float:
        """One optimizer step; the loss before weighting comes back."""
        # From nothing, most scenes are simple at first; a trained denoiser knows those.
        simple = 0.0 if self.start else max(0.0, 0.75 - 2 * self.budget.spent / self.budget.seconds)
        around = self.rng.random() < TILED_PART * self.usual
        if around:
            clean, captions = self.cache.tiles(self.size, self.rng)
        else:
            more = {name: part * (1 - simple) for name, part in self.more.items()}
            more["simple"] = more.get("simple", 0.0) + simple
            clean, captions = self.cache.batch(self.size, self.rng, more)
        captions = ["" if self.rng.random() < CAPTION_DROPOUT else text for text in captions]
        steps = spread_timesteps(self.size)
        alpha = self.alphas[steps][:, None, None, None]
        noise = torch.randn_like(clean)
        noised = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        target = (alpha.sqrt() * noise - (1 - alpha).sqrt() * clean).to(self.device)
        ratio = alpha / (1 - alpha)
        weight = (SNR_KNEE / (SNR_KNEE + ratio)).to(self.device)
        words = self.encoder(token_ids(self.tokenizer, captions).to(self.device)).last_hidden_state
        noised = noised.to(self.device, memory_format=torch.channels_last)
        with tiled(self.model, "xy" if around else ""), torch.autocast(self.device.type, self.dtype):
            guess = self.model(noised, steps.to(self.device), words).sample.float()
        error = (guess - target).square()
        (error * weight).mean().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate(self.peak, WARM_UP)
        self.optimizer.step()
        self.optimizer.zero_grad()
        keep = min(0.999, (1 + self.budget.step) / (10 + self.budget.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)
        return error.mean().item()

    def run(self, refresh: int) -> None:
        """Trains until the budget is spent, adding `refresh` new scenes a step."""
        saved = self.budget.spent
        while self.budget.tick():
            self.losses = [*self.losses[-99:], self.step()]
            if refresh:
                self.cache.refresh(refresh)
            self.budget.show(f"loss {sum(self.losses) / len(self.losses):.4f}", every=30)
            if self.budget.spent - saved > SAVE_EVERY:
                saved = self.budget.spent
                self.save()
        self.save()


def prepare_latents(work: Path, count: int = 22000) -> None:
    """Draws and encodes the first pictures of all families into `work`/latents.pt."""
    device, _ = device_and_dtype()
    vae = AutoencoderTiny.from_pretrained(work / "vae").to(device, memory_format=torch.channels_last).eval()
    cache = LatentCache(vae, room=count)
    cache.fill(count)
    cache.save(work / "latents.pt")


def train_denoiser(
    work: Path, minutes: float, resume: bool, start: Path | None = None, more: Mapping[str, float] | None = None,
    batch: int = 32, refresh: int = 4, stage: str = "denoiser",
) -> bool:  # fmt: skip
    """Trains for `minutes` on the parts and latents in `work`; leaves a pipeline in `work`/folder, its state in
    `work`/STAGE.pt. False when a finished state was taken up, which leaves all as it is.

    With the folder of an earlier model as `start` it goes on from that denoiser, at a lower rate; `more` names
    families and the part of the scenes, 0..1, that each gets beyond its share, which makes the rate lower still.
    """
    training = DenoiserTraining(work, minutes, batch, 64000, start, more or {}, stage)
    training.cache.load(work / "latents.pt")
    if not (resume and training.resume()):
        torch.manual_seed(0)
    elif training.budget.spent >= training.budget.seconds:
        return False
    # Scenes that no earlier part of the training has drawn.
    training.cache.drawn += STAGE_SEEDS.get(stage, 0) + training.budget.step * refresh
    training.budget.pause()
    training.run(refresh)
    return True
