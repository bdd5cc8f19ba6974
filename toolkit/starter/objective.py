"""What is trained beside the frozen base shares: its parts, and the base's own objective (v-prediction, min-SNR)."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from transformers import CLIPTextModel, CLIPTokenizer

from toolkit.starter.denoiser import SNR_KNEE, spread_timesteps
from toolkit.starter.folder import alphas_cumprod
from toolkit.starter.paths import FOLDER
from toolkit.starter.stage import device_and_dtype
from toolkit.starter.text import token_ids


@dataclass
class Noised:
    """A batch on its way to noise: latents, timesteps (n,), the v to be found, and each sample's weight in the loss."""

    latents: torch.Tensor
    steps: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor


class FrozenBase:
    """The shipped base's tokenizer, text encoder and autoencoder, with the noise it was trained with."""

    def __init__(self, folder: Path = FOLDER):
        self.device, self.dtype = device_and_dtype()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").to(self.device).eval()
        self.encoder.requires_grad_(False)
        vae = AutoencoderTiny.from_pretrained(folder, subfolder="vae")
        self.vae = vae.to(self.device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self.alphas = alphas_cumprod().float()

    def words(self, captions: list[str]) -> torch.Tensor:
        """The captions' hidden states (n, 32, 128)."""
        with torch.no_grad():
            return self.encoder(token_ids(self.tokenizer, captions).to(self.device)).last_hidden_state

    def noise(self, clean: torch.Tensor) -> Noised:
        """Mixes noise into clean latents (n, 4, 32, 32) at timesteps spread over the batch."""
        steps = spread_timesteps(len(clean))
        alpha = self.alphas[steps][:, None, None, None]
        noise = torch.randn_like(clean)
        noised = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        return Noised(
            noised.to(self.device, memory_format=torch.channels_last),
            steps.to(self.device),
            (alpha.sqrt() * noise - (1 - alpha).sqrt() * clean).to(self.device),
            (SNR_KNEE / (SNR_KNEE + alpha / (1 - alpha))).to(self.device),
        )
