"""Trains one LoRA a look on scenes drawn in it, with the captions of the base: a look needs no word."""

import random
from functools import partial
from pathlib import Path

import numpy as np
import torch

from toolkit.starter.adapters import STYLE_LAYERS, add_lora, load_denoiser, lora_weights
from toolkit.starter.cache import encode
from toolkit.starter.captions import caption
from toolkit.starter.denoiser import CAPTION_DROPOUT
from toolkit.starter.looks import LOOKS, draw_look
from toolkit.starter.objective import FrozenBase
from toolkit.starter.rendering import on_all_cores
from toolkit.starter.trainer import Trainer
from toolkit.starter.world import Scene, sample_scene

STYLE_SEED = 400_000_000
RANK, PEAK_RATE, BATCH = 8, 3e-3, 32


def _draw(look: str, seed: int) -> tuple[Scene, np.ndarray]:
    rng = random.Random(seed)
    scene = sample_scene(rng)
    return scene, draw_look(look, scene, rng)


def draw_looks(look: str, first: int, count: int) -> tuple[list[Scene], np.ndarray]:
    """`count` scenes of the seeds from `first` on, none of a held-out combination, drawn in a look on all cores."""
    found = on_all_cores(partial(_draw, look), range(first, first + count))
    return [scene for scene, _ in found], np.stack([picture for _, picture in found])


class StyleTraining:
    """The base with an adapter, and a look's scenes and latents."""

    def __init__(self, look: str, work: Path, minutes: float):
        self.base = FrozenBase()
        self.model = load_denoiser().to(self.base.device, memory_format=torch.channels_last)
        weights = add_lora(self.model, RANK, STYLE_LAYERS)
        self.trainer = Trainer(weights, work / f"style-{look}.pt", minutes, PEAK_RATE)

    def prepare(self, first: int, look: str, count: int) -> None:
        """Draws and encodes the look's scenes, the same ones every time."""
        self.scenes, pictures = draw_looks(look, first, count)
        self.latents = encode(self.base.vae, pictures)

    def loss(self) -> torch.Tensor:
        """The loss of a batch of scenes with fresh captions and noise."""
        rng = self.trainer.rng
        picks = [rng.randrange(len(self.scenes)) for _ in range(BATCH)]
        captions = [caption(self.scenes[pick], rng)[0] for pick in picks]
        words = self.base.words(["" if rng.random() < CAPTION_DROPOUT else text for text in captions])
        noised = self.base.noise(self.latents[picks].float())
        with torch.autocast(self.base.device.type, self.base.dtype):
            guess = self.model(noised.latents, noised.steps, words).sample.float()
        return ((guess - noised.target).square() * noised.weight).mean()


def train_style(look: str, work: Path, minutes: float, resume: bool, scenes: int = 4000) -> dict[str, torch.Tensor]:
    """Trains a look for `minutes` and returns the adapter's weights, named as diffusers does."""
    training = StyleTraining(look, work, minutes)
    if resume:
        training.trainer.resume()
    training.prepare(STYLE_SEED + 1_000_000 * list(LOOKS).index(look), look, scenes)
    training.trainer.run(training.loss)
    return lora_weights(training.model)
