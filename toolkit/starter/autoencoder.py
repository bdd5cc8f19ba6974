"""The starter's autoencoder: a diffusers AutoencoderTiny whose first three latents are the picture's 8 x 8 box means.

It starts as exactly that (encoder: box mean, decoder: enlargement), so colours are right from the first step, previews
are linear, and the denoiser gets a space that looks like a small picture. The fourth latent is learned.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny

from toolkit.starter.rendering import VAE_SEED, render_scenes
from toolkit.starter.stage import Budget, device_and_dtype, save_atomically

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
    found = []
    with torch.no_grad():
        for start in range(0, len(pictures), 8):
            pixels = to_tensor(pictures[start : start + 8])
            decoded = model.decode(model.encode(pixels).latents).sample.clamp(-1, 1)
            found.append(10 * torch.log10(4 / (decoded - pixels).square().mean((1, 2, 3))))
    return torch.cat(found)


def train_autoencoder(work: Path, minutes: float, resume: bool, scenes: int = 6000, batch: int = 32) -> AutoencoderTiny:
    """Trains for `minutes` and leaves the model in `work`/vae."""
    device, dtype = device_and_dtype()
    model = build_autoencoder().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.99), fused=True)
    budget, rng = Budget(minutes * 60, "vae"), np.random.default_rng(0)
    saved = work / "vae.pt"
    if resume and saved.exists():
        state = torch.load(saved, map_location=device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        budget.load(state["budget"])
    _, pictures = render_scenes(VAE_SEED, scenes)
    budget.pause()
    while budget.tick():
        for group in optimizer.param_groups:
            group["lr"] = budget.rate(1.5e-3, warm_up=100)
        pixels = _crops(pictures, batch, 64, rng).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype):
            latents = model.encoder(pixels)
            decoded = model.decoder(latents + torch.randn_like(latents) * 0.03)
        loss = _loss(decoded.float(), pixels, latents.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        budget.show(f"loss {loss.item():.4f}", every=20)
        if budget.step % 500 == 0:
            print(f"{psnr(model, pictures[:16]).mean():.2f} dB on scenes it saw", flush=True)
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "budget": budget.state()}
            save_atomically(state, saved)
            budget.pause()
    model.cpu().save_pretrained(work / "vae")
    return model
