"""A tiny Stable Diffusion 1 folder with random weights, made with the real classes, and engines to draw with it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for networks this small a second thread costs more than it gives

from toolkit.engine import open_engine
from toolkit.engine.protocol import Engine, EngineEvent, EngineJob
from toolkit.geometry import Size
from toolkit.models import ModelIndex
from toolkit.plugins.plugins import Plugins
from toolkit.request import GenerationRequest, Sampling

WORDS = ["a", "red", "blue", "fish", "star", "on", "white", "big"]


def make_tiny_model(folder: Path) -> Path:
    """Write a whole model folder of under a megabyte that every engine can draw with."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    tokenizer = make_tokenizer(folder.parent / f"{folder.name}-words")
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=32, norm_num_groups=8,
        attention_head_dim=8, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 16), norm_num_groups=8, latent_channels=4, sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1,
    )  # fmt: skip
    StableDiffusionPipeline(
        vae, text_encoder, tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    ).save_pretrained(folder)
    card = {"title": "Tiny", "native_size": [64, 64], "defaults": {"steps": 4, "guidance": 5.0, "sampler": "ddim"}}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def make_tokenizer(folder: Path):
    """A real CLIPTokenizer whose tokens are letters and a few words."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = letters + [letter + "</w>" for letter in letters]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            merges.append(f"{parts[0]} {parts[1]}")
            parts[:2] = [parts[0] + parts[1]]
            tokens.append(parts[0])
    tokens = list(dict.fromkeys([*tokens, "<|startoftext|>", "<|endoftext|>"]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *dict.fromkeys(merges)]) + "\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory) -> Path:
    """A folder of models that holds one, called "tiny"."""
    folder = tmp_path_factory.mktemp("checkpoints")
    make_tiny_model(folder / "tiny")
    return folder


@pytest.fixture(scope="session")
def models(checkpoints) -> ModelIndex:
    return ModelIndex([checkpoints])


@pytest.fixture
def tiny_request() -> GenerationRequest:
    sampling = Sampling(sampler="ddim", schedule="normal", steps=4, guidance=5.0)
    return GenerationRequest(prompt="a red fish", model="tiny", size=Size(64, 64), seed=7, sampling=sampling)


@dataclass
class Listener:
    """Collects an engine's events and waits for what a test needs to see."""

    events: list[EngineEvent] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def on_event(self, event: EngineEvent) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def on_death(self, reason: str) -> None:
        with self.changed:
            self.deaths.append(reason)
            self.changed.notify_all()

    def of(self, job_id: str) -> list[EngineEvent]:
        return [event for event in self.events if event.job_id == job_id]

    def wait_for(self, condition, timeout: float = 180.0) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout), f"waited {timeout} s in vain: {self.events[-3:]}"

    def end_of(self, job_id: str, timeout: float = 180.0) -> EngineEvent:
        self.wait_for(lambda: any(event.state.ended for event in self.of(job_id)), timeout)
        return self.of(job_id)[-1]

    def draw(self, engine, request: GenerationRequest, job_id: str = "job") -> EngineEvent:
        engine.submit(EngineJob(job_id, request))
        return self.end_of(job_id)


@pytest.fixture
def listener() -> Listener:
    return Listener()


class Relay:
    """Passes the events of a shared engine on to the listener of the test that runs."""

    listener: Listener | None = None

    def on_event(self, event: EngineEvent) -> None:
        if self.listener is not None:
            self.listener.on_event(event)

    def on_death(self, reason: str) -> None:
        self.listener.on_death(reason)


@pytest.fixture(scope="session", params=("sketch", "inline", "process"))
def engine(request, models, tmp_path_factory) -> Iterator[Engine]:
    """One engine of each kind, with the bundled plugins, for all tests: importing torch takes seconds."""
    data = tmp_path_factory.mktemp("data")
    opened = open_engine(request.param, models=models, dtype="float32", data=data, plugins=Plugins(data))
    if request.param == "sketch":
        opened.step_seconds = 0.005
    opened.relay = Relay()
    opened.start(opened.relay.on_event, opened.relay.on_death)
    yield opened
    opened.close()
