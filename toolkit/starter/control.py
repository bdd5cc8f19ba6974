"""Trains the ControlNets beside the frozen base: lines for scenes of things, depth for landscapes."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import ControlNetModel
from diffusers.models.attention_processor import AttnProcessor

from toolkit.starter import depth, lines
from toolkit.starter.adapters import load_denoiser
from toolkit.starter.cache import encode
from toolkit.starter.denoiser import CAPTION_DROPOUT
from toolkit.starter.families import say
from toolkit.starter.objective import FrozenBase
from toolkit.starter.rendering import on_all_cores
from toolkit.starter.trainer import Trainer

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


@dataclass(frozen=True)
class Kind:
    """What a ControlNet follows: `draw` gives a subject, its pixels and its map (256, 256), `seen` varies the map."""

    family: str
    first_seed: int
    draw: Callable[[int], tuple[Any, np.ndarray, np.ndarray]]
    seen: Callable[[np.ndarray, np.random.Generator], np.ndarray]


KINDS = {
    "lines": Kind("thing", lines.LINES_SEED, lines.draw_pair, lines.by_hand),
    "depth": Kind("landscape", depth.DEPTH_SEED, depth.draw_pair, depth.estimated),
}


class ControlTraining:
    """The base, the ControlNet, and a ring of subjects with latents and maps."""

    def __init__(self, kind: str, work: Path, minutes: float, room: int):
        self.kind, self.base, self.room = KINDS[kind], FrozenBase(), room
        self.denoiser = load_denoiser().to(self.base.device, memory_format=torch.channels_last)
        self.model = build_control(self.denoiser).to(self.base.device, memory_format=torch.channels_last)
        self.trainer = Trainer(list(self.model.parameters()), work / f"control-{kind}.pt", minutes, PEAK_RATE, 60)
        self.subjects: list[Any] = []
        self.latents, self.maps = torch.empty(room, 4, 32, 32, dtype=torch.float16), [b""] * room
        self.drawn, self.first = 0, self.kind.first_seed

    def draw(self, count: int) -> None:
        """Adds pictures; the oldest make room."""
        seeds = range(self.first + self.drawn, self.first + self.drawn + count)
        found = list(on_all_cores(self.kind.draw, seeds) if count > 100 else map(self.kind.draw, seeds))
        latents = encode(self.base.vae, np.stack([picture for _, picture, _ in found]))
        for (subject, _, hint), latent in zip(found, latents, strict=True):
            index = self.drawn % self.room
            self.subjects[index : index + 1] = [subject]
            self.latents[index], self.maps[index] = latent, zlib.compress(hint.tobytes(), 1)
            self.drawn += 1

    def condition(self, picks: list[int]) -> torch.Tensor:
        """The maps as (n, 3, 256, 256) in 0..1, each varied anew."""
        rng = np.random.default_rng(self.trainer.rng.getrandbits(32))
        kept = (np.frombuffer(zlib.decompress(self.maps[pick]), np.uint8).reshape(256, 256) for pick in picks)
        hints = np.stack([self.kind.seen(hint, rng) for hint in kept])
        values = torch.from_numpy(hints).to(self.base.device).float() / 255
        return values[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

    def loss(self) -> torch.Tensor:
        """The loss of a batch of pictures with fresh captions, noise and maps."""
        rng = self.trainer.rng
        self.draw(FRESH)
        picks = [rng.randrange(len(self.subjects)) for _ in range(BATCH)]
        captions = [say(self.kind.family, self.subjects[pick], rng)[0] for pick in picks]
        words = self.base.words(["" if rng.random() < CAPTION_DROPOUT else text for text in captions])
        noised, hints = self.base.noise(self.latents[picks].float()), self.condition(picks)
        with torch.autocast(self.base.device.type, self.base.dtype):
            down, middle = self.model(noised.latents, noised.steps, words, hints, return_dict=False)
            guess = self.denoiser(
                noised.latents, noised.steps, words, down_block_additional_residuals=down,
                mid_block_additional_residual=middle,
            ).sample.float()  # fmt: skip
        return ((guess - noised.target).square() * noised.weight).mean()


def train_control(
    kind: str, work: Path, minutes: float, resume: bool, scenes: int = 2500, room: int = 20000
) -> ControlNetModel:
    """Trains the ControlNet of a kind, "lines" or "depth", for `minutes` and returns it in half precision."""
    training = ControlTraining(kind, work, minutes, room)
    if resume:
        training.trainer.resume()
        # Pictures that no earlier part of the training has drawn.
        training.first += scenes + training.trainer.budget.step * FRESH
    training.draw(scenes)
    training.trainer.run(training.loss)
    return training.model.to("cpu", torch.float16)
