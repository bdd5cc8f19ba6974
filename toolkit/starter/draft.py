"""Trains the few-step LoRA: each of its four steps goes as far as three guided steps of the base.

Progressive distillation (Salimans and Ho 2022) with the guidance baked in (Meng et al. 2023), straight to four steps,
and in a second round from where the student itself goes, as Ross et al. 2011 (DAgger) do it.
"""

import random
from pathlib import Path

import torch

from toolkit.starter.adapters import DRAFT_LAYERS, add_lora, load_denoiser, lora_weights
from toolkit.starter.captions import caption
from toolkit.starter.objective import FrozenBase
from toolkit.starter.stage import save_atomically, taking_up
from toolkit.starter.trainer import Trainer
from toolkit.starter.world import sample_scene

DRAFT_SEED = 600_000_000
STEPS, SUBSTEPS, GUIDANCE = 4, 3, 1.7
# The first step is the hardest to foretell and the most forgiving; the last one makes the edges.
STAGE_WEIGHTS = (0.5, 0.8, 1.1, 1.6)
RANK, PEAK_RATE, BATCH = 10, 1.5e-3, 32


def trailing(steps: int) -> list[int]:
    """The timesteps that DDIM and Euler take with trailing spacing, from 999 down."""
    return [round(1000 - 1000 * i / steps) - 1 for i in range(steps)]


class DraftTraining:
    """The base with an adapter, and pairs of latents: before and after each of the four steps."""

    def __init__(self, work: Path, minutes: float):
        self.base, self.work = FrozenBase(), work
        self.model = load_denoiser().to(self.base.device, memory_format=torch.channels_last)
        weights = add_lora(self.model, RANK, DRAFT_LAYERS)
        self.trainer = Trainer(weights, work / "draft.pt", minutes, PEAK_RATE)
        self.captions: list[str] = []
        self.before = torch.empty(0, STEPS, 4, 32, 32, dtype=torch.float16)
        self.after = torch.empty_like(self.before)

    def _velocity(self, latents: torch.Tensor, step: int, words: torch.Tensor) -> torch.Tensor:
        steps = torch.full((len(latents),), step, device=self.base.device)
        with torch.autocast(self.base.device.type, self.base.dtype):
            return self.model(latents.contiguous(memory_format=torch.channels_last), steps, words).sample.float()

    def _move(self, latents: torch.Tensor, velocity: torch.Tensor, step: int, to: int) -> torch.Tensor:
        """DDIM from one timestep to another; to -1, the clean latents."""
        a, b, c, d = self.levels(step, to)
        clean, noise = a * latents - b * velocity, b * latents + a * velocity
        return c * clean + d * noise

    def levels(self, step: int, to: int) -> tuple[float, float, float, float]:
        """Signal and noise at a timestep, and at the one gone to."""
        first = self.base.alphas[step].item()
        second = self.base.alphas[to].item() if to >= 0 else 1.0
        return first**0.5, (1 - first) ** 0.5, second**0.5, (1 - second) ** 0.5

    @torch.no_grad()
    def _walk(self, latents: torch.Tensor, texts: list[str], own: bool) -> tuple[list, list]:
        """Where each step starts and where the guided base goes from there; `own` starts are the student's."""
        words, none = self.base.words(texts), self.base.words([""] * len(texts))
        grid = [*trailing(STEPS * SUBSTEPS), -1]
        before, after = [], []
        for index in range(STEPS):
            before.append(latents)
            if own:
                following = self._move(
                    latents, self._velocity(latents, grid[index * SUBSTEPS], words),
                    grid[index * SUBSTEPS], grid[(index + 1) * SUBSTEPS],
                )  # fmt: skip
            self.model.disable_adapters()
            for step, to in zip(
                grid[index * SUBSTEPS : (index + 1) * SUBSTEPS], grid[index * SUBSTEPS + 1 :], strict=False
            ):
                guess = self._velocity(torch.cat([latents, latents]), step, torch.cat([words, none]))
                with_words, without = guess.chunk(2)
                latents = self._move(latents, without + GUIDANCE * (with_words - without), step, to)
            self.model.enable_adapters()
            after.append(latents)
            latents = following if own else latents
        return before, after

    def collect(self, count: int, own: bool, first: int) -> None:
        """Adds the pairs of `count` captions and noises of the seeds from `first` on."""
        for start in range(first, first + count, BATCH):
            seeds = range(start, min(start + BATCH, first + count))
            rngs = [random.Random(seed) for seed in seeds]
            texts = [caption(sample_scene(rng), rng)[0] for rng in rngs]
            noise = torch.stack([torch.randn(4, 32, 32, generator=torch.Generator().manual_seed(s)) for s in seeds])
            before, after = self._walk(noise.to(self.base.device), texts, own)
            self.before = torch.cat([self.before, torch.stack(before, 1).to("cpu", torch.float16)])
            self.after = torch.cat([self.after, torch.stack(after, 1).to("cpu", torch.float16)])
            self.captions += texts
            if (start - first) % (BATCH * 10) == 0:
                print(f"draft: {len(self.captions)} ways of the base", flush=True)
        save_atomically((self.before, self.after, self.captions), self.work / "draft-pairs.pt")

    def loss(self) -> torch.Tensor:
        """How far the student's steps end from where the base's end, as errors of the clean latents they point to."""
        rng, grid = self.trainer.rng, [*trailing(STEPS), -1]
        picks = [rng.randrange(len(self.captions)) for _ in range(BATCH)]
        stages = [(index + rng.randrange(STEPS)) % STEPS for index in range(BATCH)]
        words = self.base.words([self.captions[pick] for pick in picks])
        latents = self.before[picks, stages].float().to(self.base.device)
        goals = self.after[picks, stages].float().to(self.base.device)
        levels = torch.tensor([self.levels(grid[stage], grid[stage + 1]) for stage in stages]).to(self.base.device)
        a, b, c, d = levels.T[:, :, None, None, None]
        clean = (goals - d / b * latents) / (c - d * a / b)
        steps = torch.tensor([grid[stage] for stage in stages], device=self.base.device)
        with torch.autocast(self.base.device.type, self.base.dtype):
            guess = self.model(latents.contiguous(memory_format=torch.channels_last), steps, words).sample.float()
        error = (a * latents - b * guess - clean).square().mean((1, 2, 3))
        return (error * torch.tensor([STAGE_WEIGHTS[stage] for stage in stages], device=error.device)).mean()


def train_draft(work: Path, minutes: float, resume: bool, ways: int = 1600) -> dict[str, torch.Tensor]:
    """Trains for `minutes` on the base's ways, for the second half on ways that start where the student goes too."""
    training = DraftTraining(work, minutes)
    pairs = work / "draft-pairs.pt"
    if resume:
        training.trainer.resume()
        if pairs.exists():
            with taking_up(pairs) as kept:
                training.before, training.after, training.captions = kept
    if not training.captions:
        training.collect(ways, False, DRAFT_SEED)
    training.trainer.run(training.loss, until=0.45)
    if len(training.captions) <= ways:
        training.collect(ways // 2, True, DRAFT_SEED + ways)
    training.trainer.run(training.loss)
    return lora_weights(training.model)
