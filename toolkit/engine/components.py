"""One loaded model: its components, shared by the jobs of every mode, and pipelines over them."""

from __future__ import annotations

import inspect
import time
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch

from toolkit.engine.adapters.control import steered
from toolkit.engine.adapters.control_nets import ControlShelf
from toolkit.engine.adapters.embeddings import WordShelf
from toolkit.engine.adapters.lora import LoraShelf
from toolkit.engine.adapters.sets import LoraSwitch
from toolkit.engine.attention import attend
from toolkit.engine.coalescer import Coalescer
from toolkit.engine.decoding import Decoder
from toolkit.engine.loading import load_reader, load_unet, load_vae
from toolkit.engine.offloading import HOME, pass_through
from toolkit.engine.text import PromptEncoder
from toolkit.errors import EngineError
from toolkit.families import Family
from toolkit.models import ModelFile


@dataclass(eq=False)
class Components:
    """One model, loaded: its denoiser is called through `coalescer`, text encoders and VAE by `text` and `decoder`.

    `bytes` is what it fills on the device, `seconds` how long it took to load; `ready` says that it is there, `passing`
    that its denoiser is not and only passes through.
    """

    model: ModelFile
    unet: Any
    coalescer: Coalescer
    vae: Any
    text: PromptEncoder
    decoder: Decoder
    device: torch.device
    dtype: torch.dtype
    bytes: int
    seconds: float = 0.0
    leases: int = 0
    ready: bool = True
    passing: bool = False
    attention: str = "auto"
    used: float = field(default_factory=time.monotonic)
    loras: LoraShelf = field(init=False, repr=False)
    controls: ControlShelf = field(init=False, repr=False)
    words: WordShelf = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.loras, self.controls, self.words = LoraShelf(self), ControlShelf(self), WordShelf(self)
        self.coalescer.around.append(LoraSwitch(self).around)
        self.coalescer.before.append(steered)

    @property
    def family(self) -> Family:
        """The model's row in the table of families."""
        return self.model.row

    @property
    def latent_scale(self) -> int:
        """Pixels of the picture for one of the latents, along a side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def latent_channels(self) -> int:
        """Channels of the latents; a denoiser for inpainting has more inputs than that."""
        return int(self.vae.config.latent_channels)

    def pipeline(self, mode: str, unet: Any, scheduler: Any, **more: Any) -> Any:
        """diffusers' pipeline of this family for a mode ("text", "image", "inpaint", "control-text", …).

        `unet` is the job's seat at the denoiser; the VAE is there to be measured, not to be called. `more` are further
        arguments of the pipeline's class, such as a ControlNet.
        """
        name = self.family.pipelines.get(mode)
        if name is None:
            modes = ", ".join(self.family.pipelines)
            raise EngineError(f"{self.model.title} ({self.family.title}) can't draw this way; it can: {modes}.")
        kind = getattr(diffusers, name)
        takes = inspect.signature(kind.__init__).parameters
        usual = {name: None for name in takes if name.startswith(("text_encoder", "tokenizer"))}
        options = {
            "safety_checker": None,
            "feature_extractor": None,
            "requires_safety_checker": False,
            "requires_aesthetics_score": self.family.added == "aesthetic",
            "force_zeros_for_empty_prompt": self.family.zero_empty,
            "add_watermarker": False,
        }
        usual |= {name: value for name, value in options.items() if name in takes}
        pipeline = kind(**usual, vae=self.vae, unet=unet, scheduler=scheduler, **more)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """Everything that has weights."""
        return (self.unet, self.vae, *(reader.encoder for reader in self.text.readers))


def load_components(
    model: ModelFile, dtype: torch.dtype, device: torch.device, passing: bool = False, attention: str = "auto"
) -> Components:
    """Load a model, with `passing` its denoiser to memory beside the device; raise ModelError naming a wrong file."""
    began = time.perf_counter()
    model.check()
    readers = [load_reader(model, part, dtype, device) for part in model.row.text_encoders]
    unet = load_unet(model, dtype, HOME if passing else device)
    vae = load_vae(model, _vae_dtype(model, dtype, device), device)
    if device.type in ("cuda", "cpu"):  # a tenth faster on a processor, where convolutions otherwise turn it round
        unet, vae = (module.to(memory_format=torch.channels_last) for module in (unet, vae))
    attend(unet, attention)
    resident = (vae, *(reader.encoder for reader in readers), *(() if passing else (unet,)))
    if passing:
        unet = pass_through(unet, device)
    return Components(
        model=model,
        unet=unet,
        coalescer=Coalescer(unet),
        vae=vae,
        text=PromptEncoder(readers, model.row, model.card),
        decoder=Decoder(vae),
        device=device,
        dtype=dtype,
        bytes=sum(map(_size, resident)),
        passing=passing,
        attention=attention,
        seconds=time.perf_counter() - began,
    )


def _vae_dtype(model: ModelFile, dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """The dtype that this family's autoencoder stays finite in."""
    if dtype != torch.float16 or not model.row.wide_vae:
        return dtype
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def _size(module: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))
