"""What a model file turns out to be when it is loaded and used: the report of `launch.py doctor --model`."""

from __future__ import annotations

import json
import math
import platform
import tempfile
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import diffusers
import torch

from toolkit.engine.components import Components
from toolkit.engine.device import dtype_name
from toolkit.engine.manager import PipelineManager
from toolkit.engine.single_file import clip_tokenizer
from toolkit.families import TextEncoder
from toolkit.model_files import ModelFile
from toolkit.weights import header_of

TEXT = "a photo of a red apple on a wooden table"
_SIDE = 8


def model_report(model: ModelFile, dtype: str = "auto") -> dict[str, Any]:
    """JSON-ready facts about a model, without folders of the machine; raise ModelError when it can't be loaded.

    It is loaded twice, once by Limner and once by diffusers, and both are asked the same: `differences` are the largest
    ones between their answers, relative to the largest number in diffusers'.
    """
    facts = _from_header(model)
    manager = PipelineManager(dtype)
    with manager.lease(model) as components, torch.no_grad():
        facts |= {
            "device": manager.device.type,
            "engine_dtype": dtype_name(manager.dtype),
            "load_seconds": round(components.seconds, 2),
            "memory": components.bytes,
            "tokens": [len(reader.tokenizer) for reader in components.text.readers],
        }
        ours, facts["call_seconds"] = _answers(components)
        place = (manager.device, components.dtype, components.vae.dtype)
    del components
    manager.close()
    facts["answers"] = {name: _seen(tensor) for name, tensor in ours.items() if name != "latents"}
    facts["velocity_looks_likely"] = _velocity(ours["denoiser"], ours["latents"]) if model.row.base == "sd2" else None
    if model.single:
        theirs = _of_diffusers(model, ours, *place)
        facts["differences"] = {name: _difference(ours[name], tensor) for name, tensor in theirs.items()}
    return facts


def _from_header(model: ModelFile) -> dict[str, Any]:
    header = header_of(model.weights("unet"))
    counts: dict[str, int] = {}
    for name, shape in header.shapes.items():
        counts[header.dtypes[name]] = counts.get(header.dtypes[name], 0) + math.prod(shape)
    return {
        "file": model.path.name,
        "bytes": model.bytes,
        "sha256": model.sha256,
        "family": model.row.title,
        "prediction": model.scheduler.get("prediction_type", "epsilon"),
        "zero_snr": bool(model.scheduler.get("trained_betas")),
        "native_size": model.card["native_size"],
        "licence": model.licence,
        "tensors": len(header.shapes),
        "numbers": counts,
        "said": {name: text[:200] for name, text in header.metadata.items() if name.startswith("modelspec.")},
        "own_vae_file": model.vae is not None,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: metadata.version(name) for name in ("torch", "diffusers", "transformers", "safetensors")},
    }


def _answers(components: Components) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """What each component makes of fixed inputs, in float32 on the CPU, and the seconds it took."""
    seconds: dict[str, float] = {}
    began = time.perf_counter()
    text = components.text.encode(TEXT)
    seconds["text"], began = _since(began)
    latents = torch.randn(1, components.latent_channels, _SIDE, _SIDE, generator=torch.Generator().manual_seed(7))
    answers = {"text": text.embeds.cpu(), "latents": latents}
    if text.pooled is not None:
        answers["pooled"] = text.pooled.cpu()
    answers["denoiser"] = _denoise(components.unet, answers)
    seconds["denoiser"], began = _since(began)
    answers["decoder"] = _decode(components.vae, latents)
    seconds["decoder"], began = _since(began)
    return answers, seconds


def _since(began: float) -> tuple[float, float]:
    now = time.perf_counter()
    return round(now - began, 3), now


def _denoise(unet: Any, answers: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The prediction at the last training step, which is almost pure noise."""
    given = {name: tensor.to(unet.device, unet.dtype) for name, tensor in answers.items()}
    channels = unet.config.in_channels - given["latents"].shape[1]
    sample = torch.cat([given["latents"], torch.zeros_like(given["latents"][:, :1]).repeat(1, channels, 1, 1)], dim=1)
    more = {}
    if "pooled" in given:
        ids = unet.config.projection_class_embeddings_input_dim - given["pooled"].shape[1]
        times = [512.0, 512.0, 0.0, 0.0, 512.0, 512.0][: ids // unet.config.addition_time_embed_dim]
        more["added_cond_kwargs"] = {
            "text_embeds": given["pooled"],
            "time_ids": torch.tensor([times], device=unet.device, dtype=unet.dtype),
        }
    return unet(sample, 999, given["text"], **more).sample.float().cpu()


def _decode(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    given = (latents / vae.config.scaling_factor).to(vae.device, vae.dtype)
    return vae.decode(given, return_dict=False)[0].float().cpu()


def _of_diffusers(
    model: ModelFile, ours: Mapping[str, torch.Tensor], device: torch.device, dtype: torch.dtype, vae: torch.dtype
) -> dict[str, torch.Tensor]:
    """The same answers from diffusers' own reading of the file; the denoiser gets our text, so that it counts alone."""
    kind = getattr(diffusers, next(iter(model.row.pipelines.values())))
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        _write_configs(model, Path(folder))
        diffusers.utils.logging.disable_progress_bar()
        diffusers.utils.logging.set_verbosity_error()
        pipeline = kind.from_single_file(str(model.path), config=folder, local_files_only=True, torch_dtype=dtype)
        answers = {"denoiser": _denoise(pipeline.unet.to(device), ours)}
        if model.vae is None:
            answers["decoder"] = _decode(pipeline.vae.to(device, vae), ours["latents"])
        if len(model.row.text_encoders) == 1 and not model.row.added:
            answers["text"] = pipeline.to(device).encode_prompt(
                TEXT, device=device, num_images_per_prompt=1, do_classifier_free_guidance=False
            )[0].float().cpu()  # fmt: skip
    return answers


def _write_configs(model: ModelFile, folder: Path) -> None:
    """What diffusers wants beside a single file: every component's configuration, and the tokenizers."""
    index: dict[str, Any] = {"_class_name": next(iter(model.row.pipelines.values()))}
    configs = {component: model.config(component) for component in model.row.components}
    configs["scheduler"] = dict(model.scheduler)
    for component, config in configs.items():
        (folder / component).mkdir()
        name = "scheduler_config.json" if component == "scheduler" else "config.json"
        (folder / component / name).write_text(json.dumps(config), encoding="utf-8")
        library = "transformers" if component.startswith("text_encoder") else "diffusers"
        index[component] = [library, config.get("_class_name") or config["architectures"][0]]
    for part in model.row.text_encoders:
        _tokenizer(part).save_pretrained(folder / part.tokenizer)
        index[part.tokenizer] = ["transformers", "CLIPTokenizer"]
    for part in ("text_encoder", "text_encoder_2"):
        if model.row.added and part not in index:
            index[part] = index[part.replace("text_encoder", "tokenizer")] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")


def _tokenizer(part: TextEncoder) -> Any:
    tokenizer = clip_tokenizer()
    tokenizer.pad_token = part.pad
    return tokenizer


def _seen(tensor: torch.Tensor) -> dict[str, Any]:
    finite = bool(torch.isfinite(tensor).all())
    return {"finite": finite, "mean": round(float(tensor.mean()), 4), "std": round(float(tensor.std()), 4)}


def _difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-12))


def _velocity(predicted: torch.Tensor, latents: torch.Tensor) -> bool:
    """Whether a prediction at almost pure noise is far from that noise: then the denoiser predicts velocity."""
    return float(torch.nn.functional.cosine_similarity(predicted.flatten(), latents.flatten(), dim=0)) < 0.5


def described(facts: Mapping[str, Any]) -> str:
    """The report as lines that can be sent."""
    lines = [f"Model     {facts['file']}, {facts['bytes'] / 1e9:.2f} GB, SHA-256 {facts['sha256'] or 'not read yet'}"]
    lines.append(f"Family    {facts['family']}, predicts {facts['prediction']}, {facts['native_size']} pixels")
    numbers = ", ".join(f"{count / 1e6:,.1f} M {dtype}" for dtype, count in facts["numbers"].items())
    lines.append(f"Tensors   {facts['tensors']}: {numbers}")
    lines += [f"Said      {name} = {text}" for name, text in facts["said"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    lines.append(f"Machine   {facts['system']}; {versions}")
    lines.append(
        f"Loaded    {facts['load_seconds']} s as {facts['engine_dtype']} on {facts['device']}, "
        f"{facts['memory'] / 1e9:.2f} GB; tokenizer with {facts['tokens']} words"
    )
    for name, seen in facts["answers"].items():
        state = "finite" if seen["finite"] else "NOT FINITE"
        lines.append(f"Answer    {name}: {state}, mean {seen['mean']}, std {seen['std']}")
    for name, value in facts.get("differences", {}).items():
        lines.append(f"Against   diffusers, {name}: {value:.1e}")
    if facts["velocity_looks_likely"] is not None:
        guess = "v_prediction" if facts["velocity_looks_likely"] else "epsilon"
        lines.append(f"Guess     the denoiser's answer to noise looks like {guess}")
    return "\n".join(lines)
