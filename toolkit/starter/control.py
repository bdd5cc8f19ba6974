"""Trains the lines ControlNet beside the frozen base: edges of scenes in other colours, or scribbles over them."""

import random
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import ControlNetModel
from diffusers.models.attention_processor import AttnProcessor

from toolkit.starter.adapters import load_denoiser
from toolkit.starter.cache import encode
from toolkit.starter.captions import caption
from toolkit.starter.denoiser import CAPTION_DROPOUT
from toolkit.starter.lines import pair, scribble
from toolkit.starter.objective import FrozenBase
from toolkit.starter.rendering import on_all_cores
from toolkit.starter.trainer import Trainer
from toolkit.starter.world import Scene, sample_scene

CONTROL_SEED = 500_000_000
PEAK_RATE, BATCH, FRESH = 1e-3, 32, 6
EMBEDDING = (4, 16, 32, 64)


def build_control(denoiser) -> ControlNetModel:
    """A ControlNet that starts as the denoiser's encoder and changes nothing yet. About 3.6 M parameters."""
    torch.manual_seed(0)
    model = ControlNetModel.from_unet(denoiser, conditioning_embedding_out_channels=EMBEDDING)
    # The usual zeros before the encoder too would hold the lines back for the first hundreds of steps; those behind
    # it are enough to start as the base.
    torch.nn.init.normal_(model.controlnet_cond_embedding.conv_out.weight, std=0.03)
    if not torch.cuda.is_available():
        model.set_attn_processor(AttnProcessor())
    return model.requires_grad_(True)


def draw_pair(seed: int) -> tuple[Scene, np.ndarray, np.ndarray]:
    """A scene of no held-out combination, its pixels and lines, half the time with its things anywhere."""
    rng = random.Random(seed)
    scene = sample_scene(rng)
    placed = any(thing.place or thing.size for thing in scene.things)
    return scene, *pair(scene, seed, anywhere=not placed and rng.random() < 0.6)


class ControlTraining:
    """The base, the ControlNet, and a ring of scenes with latents and lines."""

    def __init__(self, work: Path, minutes: float, room: int):
        self.base, self.room = FrozenBase(), room
        self.denoiser = load_denoiser().to(self.base.device, memory_format=torch.channels_last)
        self.model = build_control(self.denoiser).to(self.base.device, memory_format=torch.channels_last)
        self.trainer = Trainer(list(self.model.parameters()), work / "control-lines.pt", minutes, PEAK_RATE, 60)
        self.scenes: list[Scene] = []
        self.latents, self.lines = torch.empty(room, 4, 32, 32, dtype=torch.float16), [None] * room
        self.drawn = 0

    def draw(self, count: int) -> None:
        """Adds scenes; the oldest make room."""
        seeds = range(CONTROL_SEED + self.drawn, CONTROL_SEED + self.drawn + count)
        found = list(on_all_cores(draw_pair, seeds) if count > 100 else map(draw_pair, seeds))
        latents = encode(self.base.vae, np.stack([picture for _, picture, _ in found]))
        for (scene, _, edges), latent in zip(found, latents, strict=True):
            index = self.drawn % self.room
            self.scenes[index : index + 1] = [scene]
            self.latents[index], self.lines[index] = latent, np.packbits(edges > 0)
            self.drawn += 1

    def condition(self, picks: list[int]) -> torch.Tensor:
        """The lines as (n, 3, 256, 256) in 0..1: two thirds as edges, thin or thick, the others scribbled."""
        rng, found = np.random.default_rng(self.trainer.rng.getrandbits(32)), []
        for pick in picks:
            edges = np.unpackbits(self.lines[pick]).reshape(256, 256) * np.uint8(255)
            roll = rng.random()
            if roll < 0.3:
                edges = scribble(edges, rng)
            elif roll < 0.45:
                edges = cv2.dilate(edges, np.ones((2, 2) if roll < 0.4 else (3, 3), np.uint8))
            found.append(edges)
        lines = torch.from_numpy(np.stack(found)).to(self.base.device).float() / 255
        return lines[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

    def loss(self) -> torch.Tensor:
        """The loss of a batch of scenes with fresh captions, noise and hands."""
        rng = self.trainer.rng
        self.draw(FRESH)
        picks = [rng.randrange(len(self.scenes)) for _ in range(BATCH)]
        captions = [caption(self.scenes[pick], rng)[0] for pick in picks]
        words = self.base.words(["" if rng.random() < CAPTION_DROPOUT else text for text in captions])
        noised, lines = self.base.noise(self.latents[picks].float()), self.condition(picks)
        with torch.autocast(self.base.device.type, self.base.dtype):
            down, middle = self.model(noised.latents, noised.steps, words, lines, return_dict=False)
            guess = self.denoiser(
                noised.latents, noised.steps, words, down_block_additional_residuals=down,
                mid_block_additional_residual=middle,
            ).sample.float()  # fmt: skip
        return ((guess - noised.target).square() * noised.weight).mean()


def train_control(work: Path, minutes: float, resume: bool, scenes: int = 2500, room: int = 20000) -> ControlNetModel:
    """Trains the lines ControlNet for `minutes` and returns it in half precision."""
    training = ControlTraining(work, minutes, room)
    if resume:
        training.trainer.resume()
        # Other scenes than before the break.
        training.drawn = 0
    training.draw(scenes)
    training.trainer.run(training.loss)
    return training.model.to("cpu", torch.float16)
