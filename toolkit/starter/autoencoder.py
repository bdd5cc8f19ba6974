"""The starter's autoencoder: a diffusers AutoencoderTiny whose first three latents are the picture's 8 x 8 box means.

It starts as exactly that (encoder: box mean, decoder: enlargement), so colours are right from the first step, previews
are linear, and the denoiser gets a space that looks like a small picture. The fourth latent is learned.
"""

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny

from toolkit.starter.families import FAMILIES, choose_family
from toolkit.starter.rendering import VAE_SEED, render_scenes
from toolkit.starter.stage import Budget, device_and_dtype, save_atomically, save_folder, taking_up
from toolkit.starter.textures import TEXTURE_SEED, draw_textures

WIDTH = 32
GAIN = 3.3


def build_autoencoder() -> AutoencoderTiny:
    """An untrained autoencoder that already halves thrice and enlarges thrice. About 0.3 M parameters."""
    torch.manual_seed(0)
    model = AutoencoderTiny(
        latent_channels=4,
        encoder_block_out_channels=(WIDTH,) * 4,
        decoder_block_out_channels=(WIDTH,) * 4,
        num_encoder_blocks=(0, 0, 2, 2),
        num_decoder_blocks=(2, 2, 1, 0),
        scaling_factor=1.0,
        force_upcast=False,
    )
    with torch.no_grad():
        _craft_encoder(model.encoder.layers)
        _craft_decoder(model.decoder.layers)
    return model


def _pass_through(conv: torch.nn.Conv2d, kernel: torch.Tensor, gain: float = 1.0, offset: float = 0.0) -> None:
    conv.weight[:3] = 0
    for channel in range(3):
        conv.weight[channel, channel] = kernel * gain
    if conv.bias is not None:
        conv.bias[:3] = offset


def _zero_blocks(layers: torch.nn.Sequential) -> None:
    for layer in layers:
        if hasattr(layer, "fuse"):
            layer.conv[-1].weight *= 0.1
            layer.conv[-1].bias *= 0
            layer.conv[-1].weight[:3] = 0


def _craft_encoder(layers: torch.nn.Sequential) -> None:
    centre, box = torch.zeros(3, 3), torch.zeros(3, 3)
    centre[1, 1] = 1
    box[1:, 1:] = 0.25
    convs = [layer for layer in layers if isinstance(layer, torch.nn.Conv2d)]
    _pass_through(convs[0], centre)
    for conv in convs[1:-1]:
        _pass_through(conv, box)
    _pass_through(convs[-1], centre, GAIN, -GAIN / 2)
    _zero_blocks(layers)


def _craft_decoder(layers: torch.nn.Sequential) -> None:
    centre = torch.zeros(3, 3)
    centre[1, 1] = 1
    convs = [layer for layer in layers if isinstance(layer, torch.nn.Conv2d)]
    _pass_through(convs[0], centre, 1.07 / GAIN, 0.5)
    for conv in convs[1:]:
        _pass_through(conv, centre)
    _zero_blocks(layers)


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """uint8 pixels (n, h, w, 3) as floats (n, 3, h, w) in -1..1."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _crops(pictures: np.ndarray, count: int, side: int, rng: np.random.Generator) -> torch.Tensor:
    """Random crops, each the busier of two so that edges are seen more often than plain areas."""
    found = []
    for _ in range(count):
        picture = pictures[rng.integers(len(pictures))]
        y, x = rng.integers(0, picture.shape[0] - side + 1, (2, 2))
        pair = [picture[a : a + side, b : b + side] for a, b in zip(y, x, strict=True)]
        found.append(max(pair, key=lambda crop: crop[::8, ::8].std()))
    return to_tensor(np.stack(found))


def _loss(decoded: torch.Tensor, pixels: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    across = (decoded - pixels).diff(dim=-1).abs().mean()
    down = (decoded - pixels).diff(dim=-2).abs().mean()
    pinned = GAIN / 2 * F.avg_pool2d(pixels, 8)
    pin = F.mse_loss(latents[:, :3], pinned)
    free = latents[:, 3]
    unit = free.mean() ** 2 + (free.std() - 1) ** 2
    return F.mse_loss(decoded, pixels) + F.l1_loss(decoded, pixels) + 0.5 * (across + down) + 0.1 * pin + 0.02 * unit


def psnr(model: AutoencoderTiny, pictures: np.ndarray) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB of each picture after encoding and decoding; uint8 (n, h, w, 3) in."""
    found, device = [], next(model.parameters()).device
    with torch.no_grad():
        for start in range(0, len(pictures), 8):
            pixels = to_tensor(pictures[start : start + 8]).to(device)
            decoded = model.decode(model.encode(pixels).latents).sample.clamp(-1, 1)
            found.append(10 * torch.log10(4 / (decoded - pixels).square().mean((1, 2, 3))).cpu())
    return torch.cat(found)


def _varied(count: int) -> np.ndarray:
    """Pictures of all families, and a quarter as many textures: uint8 (n, 256, 256, 3)."""
    found = []
    for index in range(count):
        rng = random.Random(VAE_SEED + index)
        family = FAMILIES[choose_family(rng)]
        found.append(family.draw(family.sample(rng), rng))
    return np.concatenate([np.stack(found), draw_textures(TEXTURE_SEED, count // 4)])


class _Training:
    """The state of the autoencoder's training. With `start`, the folder of an earlier one, its encoder stays as it is,
    so that latents keep their meaning, and only the decoder goes on, on pictures of all families and textures."""

    def __init__(self, work: Path, minutes: float, scenes: int, start: Path | None):
        self.device, self.dtype = device_and_dtype()
        model = AutoencoderTiny.from_pretrained(start, subfolder="vae") if start else build_autoencoder()
        self.model = model.to(self.device, memory_format=torch.channels_last)
        self.start, self.peak = start, 6e-4 if start else 1.5e-3
        stage = "decoder" if start else "vae"
        self.saved = work / f"{stage}.pt"
        self.weights = [*(model.decoder if start else model).parameters()]
        self.optimizer = torch.optim.AdamW(self.weights, 1e-3, betas=(0.9, 0.99), fused=True)
        self.budget, self.rng = Budget(minutes * 60, stage), np.random.default_rng(0)
        self.pictures = _varied(scenes) if start else render_scenes(VAE_SEED, scenes)[1]

    def resume(self) -> None:
        """Takes up a saved state, if there is one."""
        if self.saved.exists():
            with taking_up(self.saved, self.device) as state:
                self.model.load_state_dict(state["model"])
                self.optimizer.load_state_dict(state["optimizer"])
            self.budget.load(state["budget"])
            self.rng = np.random.default_rng(self.budget.step)

    def save(self) -> None:
        """Writes the state; the time it takes isn't training time."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        save_atomically(state | {"budget": self.budget.state()}, self.saved)
        self.budget.pause()

    def step(self, batch: int) -> float:
        """One optimizer step; the loss comes back."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate(self.peak, warm_up=100)
        pixels = _crops(self.pictures, batch, 64, self.rng).to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self.dtype):
            with torch.set_grad_enabled(self.start is None):
                latents = self.model.encoder(pixels)
            decoded = self.model.decoder(latents + torch.randn_like(latents) * 0.03)
        loss = _loss(decoded.float(), pixels, latents.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


def train_autoencoder(
    work: Path, minutes: float, resume: bool, start: Path | None = None, scenes: int = 6000, batch: int = 32
) -> AutoencoderTiny:
    """Trains for `minutes`, leaves it in `work`/vae; only the decoder with a pipeline's folder as `start`."""
    training = _Training(work, minutes, scenes, start)
    if resume:
        training.resume()
    budget = training.budget
    budget.pause()
    while budget.tick():
        loss = training.step(batch)
        budget.show(f"loss {loss:.4f}", every=20)
        if budget.step % 500 == 0:
            print(f"{psnr(training.model, training.pictures[:16]).mean():.2f} dB on pictures it saw", flush=True)
            training.save()
    training.save()
    save_folder(training.model.cpu().save_pretrained, work / "vae")
    return training.model
