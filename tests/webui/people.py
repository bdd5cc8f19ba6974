"""A model of paper, and what people do with the page: queue, look, wait."""

from __future__ import annotations

import io
import json
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from toolkit.settings import Settings, load_settings

WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
CLASSES = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DDIMScheduler"],
}
CARD = {
    "title": "Paper",
    "native_size": [256, 256],
    "size_multiple": 8,
    "defaults": {"steps": 6, "guidance": 4.0, "sampler": "ddim"},
}
PAPER = "paper"


def paper_model(folder: Path) -> None:
    """A model folder that the studio takes as whole, for the engine that draws without one."""
    header = json.dumps({"x": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    for component, stem in WEIGHTS.items():
        (folder / component).mkdir(parents=True)
        (folder / component / "config.json").write_text("{}", "utf-8")
        (folder / component / f"{stem}.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    (folder / "model_index.json").write_text(json.dumps(CLASSES), "utf-8")
    (folder / "card.json").write_text(json.dumps(CARD), "utf-8")


def paper_settings(folder: Path, **flags: Any) -> Settings:
    """Settings of a studio in `folder` that has the model “paper”."""
    if not (folder / "models").exists():
        paper_model(folder / "models" / PAPER)
    return load_settings(data=folder / "data", models=[str(folder / "models")], **flags)


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is large and holds one pixel."""
    packed = io.BytesIO()
    Image.new("L", (1, 1)).save(packed, "PNG")
    plain = bytearray(packed.getvalue())
    plain[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    plain[29:33] = zlib.crc32(bytes(plain[12:29])).to_bytes(4, "big")
    return bytes(plain)


def ask(client: httpx.Client, prompt: str, **request: Any) -> str:
    """Queue a picture and return the job's id."""
    answer = client.post("/limner/jobs", json={"request": {"model": PAPER, "prompt": prompt, **request}})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def job(client: httpx.Client, job_id: str) -> dict[str, Any] | None:
    return next((job for job in client.get("/limner/state").json()["jobs"] if job["id"] == job_id), None)


def wait_for(client: httpx.Client, job_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
    """The job as soon as it is in one of `states` (finished, unless others are given)."""
    wanted = states or ("finished",)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = job(client, job_id)
        if found is not None and found["state"] in wanted:
            return found
        time.sleep(0.05)
    raise AssertionError(f"The job is {found and found['state']}, not {wanted}, after {seconds} s.")
