"""Single-file checkpoints of every family: loaded by their headers, and equal to what diffusers makes of them."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import shutil
import sys
import threading
import time
from pathlib import Path

import diffusers
import pytest
import torch
from PIL import Image

from tests.engine.checkpoint_makers import SD15, TINY, write_checkpoint, write_configs
from tests.engine.conftest import Listener
from toolkit.engine.inline import InlineEngine
from toolkit.engine.manager import PipelineManager
from toolkit.engine.protocol import EngineJob
from toolkit.errors import EngineError, ModelError
from toolkit.families import FAMILIES, FOLDER
from toolkit.geometry import Size
from toolkit.jobs import JobState
from toolkit.models import ModelIndex
from toolkit.request import GenerationRequest, Sampling
from toolkit.starts import FromImage, FromText, Inpaint

PROMPT, NEGATIVE = "a photo of a red cat, 8k", "blurry"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One tiny checkpoint of every family, with full names, under its family's name."""
    made = tmp_path_factory.mktemp("single")
    for name in TINY:
        write_checkpoint(made / f"{name}.safetensors", name)
        (made / f"{name}.json").write_text('{"native_size": [64, 64]}')
    return made


@pytest.fixture(scope="module")
def manager():
    manager = PipelineManager("float32")
    yield manager
    manager.close()


def draw(pipeline, mode: str, **texts) -> torch.Tensor:
    """Latents of two steps at 64 × 64, however the pipeline begins."""
    generator = torch.Generator().manual_seed(5)
    given = {"num_inference_steps": 2, "guidance_scale": 1.5, "output_type": "latent", "generator": generator}
    if mode == "text":
        given |= {"width": 64, "height": 64}
    else:
        given |= {"image": Image.radial_gradient("L").convert("RGB").resize((64, 64)), "strength": 1.0}
    if mode == "inpaint":
        given |= {"mask_image": Image.linear_gradient("L").resize((64, 64)), "width": 64, "height": 64}
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(**texts, **given).images


@pytest.mark.parametrize("name", list(TINY))
def test_every_family_draws_what_diffusers_draws_from_the_same_file(name, folder, manager, tmp_path):
    model = ModelIndex([folder]).find(name)
    assert model.family == name
    mode = next(iter(model.row.pipelines))
    kind = getattr(diffusers, model.row.pipelines[mode])
    peer = kind.from_single_file(
        str(model.path), config=str(write_configs(tmp_path / "configs", name, TINY[name])), local_files_only=True
    )
    expected = draw(peer, mode, prompt=PROMPT, negative_prompt=NEGATIVE)
    with manager.lease(model) as components:
        pair = components.text.encode_pair(PROMPT, NEGATIVE)
        scheduler = type(peer.scheduler).from_config(model.scheduler)
        ours = components.pipeline(mode, components.unet, scheduler)
        assert ours.scheduler.config.prediction_type == model.row.prediction
        drawn = draw(ours, mode, **pair.pipeline_arguments(1, "cpu"))
        assert drawn.std() > 0.1
        assert (drawn - expected).abs().max() <= 2e-6 * expected.abs().max()
        pixels = peer.vae.decode(expected / peer.vae.config.scaling_factor).sample
        own = components.vae.decode(expected / components.vae.config.scaling_factor).sample
        assert (own - pixels).abs().max() <= 2e-6 * pixels.abs().max()


@pytest.mark.parametrize("name", list(TINY))
def test_clip_skip_counts_layers_from_the_end(name, folder, manager):
    """n is the n-th layer from the end; no later one than the family is trained on, and the norm where it has one."""
    with manager.lease(ModelIndex([folder]).find(name)) as components, torch.no_grad():
        family, usual = components.family, components.text.encode(PROMPT).embeds
        for skip in (1, 2, 3, 5):
            parts = []
            for reader in components.text.readers:
                inner = getattr(reader.encoder, "text_model", reader.encoder)
                states = inner.embeddings(reader.windows(PROMPT, {})[0])
                layers = len(inner.encoder.layers) - (max(skip, family.layer) - 1)
                for layer in inner.encoder.layers[:layers]:
                    mask = torch.full((77, 77), float("-inf")).triu(1)[None, None]
                    states = layer(states, attention_mask=mask)
                parts.append(inner.final_layer_norm(states) if family.layer == 1 else states)
            ours = components.text.encode(PROMPT, clip_skip=skip).embeds
            assert (ours - torch.cat(parts, dim=-1)).abs().max() <= 2e-6 * ours.abs().max()
            assert torch.equal(ours, usual) == (skip <= family.layer)


def test_an_empty_negative_prompt_of_sdxl_is_all_zeros_and_of_others_a_text(folder, manager):
    index = ModelIndex([folder])
    with manager.lease(index.find("sdxl")) as components:
        pair = components.text.encode_pair(PROMPT, " ")
        assert not pair.negative.embeds.any()
        assert not pair.negative.pooled.any()
        assert components.text.encode(" ").embeds.any()
    for name in ("sd1", "sdxl-refiner"):
        with manager.lease(index.find(name)) as components:
            assert components.text.encode_pair(PROMPT, "").negative.embeds.any()


def test_long_prompts_of_sdxl_keep_one_pooled_text(folder, manager):
    with manager.lease(ModelIndex([folder]).find("sdxl")) as components:
        pair = components.text.encode_pair("a red cat " * 60, NEGATIVE)
        given = pair.pipeline_arguments(2, "cpu")
        assert given["prompt_embeds"].shape == given["negative_prompt_embeds"].shape == (2, 231, 192)
        assert given["pooled_prompt_embeds"].shape == (2, 128)


def test_a_model_says_what_it_cannot_do(folder, manager):
    index = ModelIndex([folder])
    with manager.lease(index.find("sdxl-refiner")) as refiner, pytest.raises(EngineError, match=r"SDXL refiner.*image"):
        refiner.pipeline("text", refiner.unet, None)
    with manager.lease(index.find("sd1-inpaint")) as filler, pytest.raises(EngineError, match=r"inpainting\) can't"):
        filler.pipeline("text", filler.unet, None)


def test_an_autoencoder_beside_the_checkpoint_is_used_in_place_of_its_own(folder, manager, tmp_path):
    from safetensors.torch import load_file, save_file

    other = load_file(write_checkpoint(tmp_path / "other.safetensors", "sd1", seed=9))
    prefix = "first_stage_model."
    vae = {name.removeprefix(prefix): tensor for name, tensor in other.items() if name.startswith(prefix)}
    path = write_checkpoint(tmp_path / "ink.safetensors", "sd1", without=(prefix,))
    with pytest.raises(ModelError, match=r"ink\.safetensors holds no autoencoder.*ink\.vae\.safetensors"):
        ModelIndex([tmp_path]).find("ink")
    save_file(vae, path.with_suffix(".vae.safetensors"))
    index = ModelIndex([tmp_path])
    with manager.lease(index.find("ink")) as ours, manager.lease(index.find("other")) as theirs:
        for name, tensor in theirs.vae.state_dict().items():
            assert torch.equal(ours.vae.state_dict()[name], tensor)
    tensors = {name: tensor.contiguous() for name, tensor in theirs.vae.state_dict().items()}
    save_file(tensors, path.with_suffix(".vae.safetensors"))
    with manager.lease(ModelIndex([tmp_path]).find("ink")) as native:
        assert torch.equal(native.vae.decoder.conv_in.weight, theirs.vae.decoder.conv_in.weight)
    assert [model.id for model in index.list()] == ["ink", "other"]


def test_half_precision_files_load_in_the_engines_dtype_and_nothing_stays_tied_to_the_file(tmp_path):
    path = write_checkpoint(tmp_path / "half.safetensors", "sd1", half=True)
    model = ModelIndex([tmp_path]).find("half")
    for dtype in ("float32", "bfloat16", "float16"):
        manager = PipelineManager(dtype)
        with manager.lease(model) as components:
            kinds = {tensor.dtype for module in components.modules for tensor in module.parameters()}
            assert kinds == {manager.dtype}
            sizes = [tensor.untyped_storage().nbytes() for tensor in components.unet.parameters()]
            assert max(sizes) < path.stat().st_size / 10
        manager.close()


def test_loading_an_sdxl_checkpoint_does_not_disturb_other_threads(folder):
    """Its second text encoder is a class that sets torch's default dtype when its configuration names one."""
    wrong: list[torch.Tensor] = []
    stop = threading.Event()

    def meanwhile() -> None:
        while not stop.is_set():
            made = [torch.zeros(4), torch.nn.Linear(4, 4).weight, torch.tensor([0.5]), torch.arange(3.0)]
            wrong.extend(one for one in made if one.dtype != torch.float32 or one.device.type != "cpu")

    thread = threading.Thread(target=meanwhile)
    thread.start()
    manager = PipelineManager("bfloat16")
    try:
        for name in ("sdxl", "sd2", "sdxl-refiner"):
            with manager.lease(ModelIndex([folder]).find(name)) as components:
                assert components.unet.dtype == torch.bfloat16
    finally:
        stop.set()
        thread.join()
        manager.close()
    assert not wrong, f"{len(wrong)} tensors came out wrong, such as {wrong[0].dtype} on {wrong[0].device}"


def test_a_resident_model_is_leased_while_another_loads(folder, manager):
    index = ModelIndex([folder])
    with manager.lease(index.find("sd1")):
        pass
    with manager._loading:  # as if a load were going on
        began = time.perf_counter()
        with manager.lease(index.find("sd1")):
            pass
    assert time.perf_counter() - began < 0.05


def test_the_shipped_tokenizer_is_whole_or_refused(folder, monkeypatch, tmp_path):
    from toolkit import clip_words
    from toolkit.engine.single_file import clip_tokenizer

    assert len(clip_tokenizer()) == 49408
    text = clip_tokenizer()("a photo of a cat, 8k don't!").input_ids
    assert text == [49406, 320, 1125, 539, 320, 2368, 267, 279, 330, 847, 713, 256, 49407]
    short = tmp_path / "merges.txt"
    short.write_text("\n".join((clip_words.FOLDER / "tokenizer" / "merges.txt").read_text().split("\n")[:1000]))
    with pytest.raises(ModelError, match="999 merges and should hold 48894"):
        clip_words.read_merges(short)


def test_a_folder_of_sdxl_draws_what_its_single_file_draws(folder, manager, tmp_path):
    """Saved by diffusers as people find such folders on the hub, two text encoders and tokenizers included."""
    single = ModelIndex([folder]).find("sdxl")
    config = write_configs(tmp_path / "configs", "sdxl", TINY["sdxl"])
    diffusers.StableDiffusionXLPipeline.from_single_file(
        str(single.path), config=str(config), local_files_only=True
    ).save_pretrained(tmp_path / "models" / "whole")  # fmt: skip
    model = ModelIndex([tmp_path / "models"]).find("whole")
    assert (model.family, model.elements()) == ("sdxl", pytest.approx(single.elements(), rel=1e-4))
    drawn = []
    for one in (single, model):
        with manager.lease(one) as components:
            texts = components.text.encode_pair(PROMPT, NEGATIVE).pipeline_arguments(1, "cpu")
            pipeline = components.pipeline("text", components.unet, diffusers.DDIMScheduler.from_config(one.scheduler))
            drawn.append(draw(pipeline, "text", **texts))
    assert (drawn[0] - drawn[1]).abs().max() <= 2e-6 * drawn[1].abs().max()


def test_no_file_beside_a_checkpoint_and_no_configuration_chooses_what_is_imported(
    folder, checkpoints, manager, tmp_path, monkeypatch
):
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()\nclass StableDiffusionPipeline: pass\nclass Kernel: pass\n"
    (tmp_path / "evil_module.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    place = tmp_path / "models"
    place.mkdir()
    shutil.copy(folder / "sd1.safetensors", place / "plain.safetensors")
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["evil_module", "StableDiffusionPipeline"]}
    (place / "model_index.json").write_text(json.dumps(index))
    (place / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "evil_module.Kernel"}}))
    with manager.lease(ModelIndex([]).find(str(place / "plain.safetensors"))) as components:
        assert type(components.unet) is diffusers.UNet2DConditionModel
    whole = place / "whole"
    shutil.copytree(checkpoints / "tiny", whole)
    for component in ("text_encoder", "unet", "vae"):
        config = whole / component / "config.json"
        more = {"auto_map": {"AutoModel": "evil_module.Kernel"}, "_attn_implementation": "someone/evil_module"}
        config.write_text(json.dumps({**json.loads(config.read_text()), **more, "quantization_config": {"a": 1}}))
    with manager.lease(ModelIndex([place]).find("whole")) as components:
        assert components.text.readers[0].encoder.config._attn_implementation == "sdpa"
    assert "evil_module" not in sys.modules
    assert not ran.exists()


@pytest.mark.parametrize("name", ["sd1", "sdxl-refiner"])
def test_the_report_on_a_file_can_be_sent_and_agrees_with_diffusers(name, folder):
    from toolkit.engine.report import described, model_report

    facts = model_report(ModelIndex([folder]).find(name), "float32")
    assert facts["family"] == FAMILIES[name].title
    assert all(answer["finite"] and answer["std"] > 0.1 for answer in facts["answers"].values())
    assert {"denoiser", "decoder"} <= facts["differences"].keys()
    assert max(facts["differences"].values()) <= 3e-6
    text = described(json.loads(json.dumps(facts)))
    assert str(folder) not in text
    assert f"{name}.safetensors" in text


@pytest.mark.slow
def test_stable_diffusion_15_at_full_size_is_diffusers_pipeline(tmp_path):
    """About a billion random weights, as they are on people's disks: half precision, all original names."""
    path = write_checkpoint(tmp_path / "full.safetensors", "sd1", SD15, half=True)
    gc.collect()
    began = time.perf_counter()
    model = ModelIndex([tmp_path]).find("full")
    assert time.perf_counter() - began < 0.05 + 0.05
    assert (model.family, model.bytes > 2e9) == ("sd1", True)
    for component in model.row.components:
        assert model.config(component) == json.loads((FOLDER / "sd1" / component / "config.json").read_text())
    manager = PipelineManager("float32")
    with manager.lease(model) as components, torch.no_grad():
        pair = components.text.encode_pair(PROMPT, NEGATIVE)
        scheduler = diffusers.DDIMScheduler.from_config(model.scheduler)
        pipeline = components.pipeline("text", components.unet, scheduler)
        drawn = draw(pipeline, "text", **pair.pipeline_arguments(1, "cpu"))
    del components
    manager.close()
    gc.collect()
    config = write_configs(tmp_path / "configs", "sd1", SD15)
    peer = diffusers.StableDiffusionPipeline.from_single_file(str(path), config=str(config), local_files_only=True)
    peer.scheduler = diffusers.DDIMScheduler.from_config(model.scheduler)
    expected = draw(peer.to(torch.float32), "text", prompt=PROMPT, negative_prompt=NEGATIVE)
    assert (drawn - expected).abs().max() <= 2e-6 * expected.abs().max()


def test_the_makers_of_these_tests_know_every_family():
    assert set(TINY) == set(FAMILIES)


def png(image: Image.Image) -> tuple[str, bytes]:
    """A picture as the engine gets it, by its SHA-256."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return hashlib.sha256(file.getvalue()).hexdigest(), file.getvalue()


@pytest.fixture(scope="module")
def engine(folder):
    listener = Listener()
    engine = InlineEngine(ModelIndex([folder]), dtype="float32")
    engine.start(listener.on_event, listener.on_death)
    yield engine, listener
    engine.close()


@pytest.mark.parametrize("name", list(TINY))
def test_every_family_draws_through_the_engine(name, engine, tmp_path):
    inline, listener = engine
    image, image_file = png(Image.radial_gradient("L").convert("RGB").resize((64, 64)))
    mask, mask_file = png(Image.linear_gradient("L").resize((64, 64)))
    mode = next(iter(FAMILIES[name].pipelines))
    start = {"text": FromText(), "image": FromImage(image, strength=0.6), "inpaint": Inpaint(image, mask)}[mode]
    sampling = Sampling(sampler="dpmpp_2m", schedule="karras", steps=3, guidance=4.0)
    request = GenerationRequest(
        prompt=PROMPT, model=name, size=Size(64, 64), seed=3, sampling=sampling, start=start, count=2
    )  # fmt: skip
    inline.submit(EngineJob(f"job-{name}", request, pictures={image: image_file, mask: mask_file}))
    event = listener.end_of(f"job-{name}")
    assert event.state is JobState.FINISHED, event.error
    first, second = event.pictures
    assert (first.width, first.height) == (64, 64)
    assert len(set(first.rgb)) > 20
    assert first.rgb != second.rgb
    file = inline._models.find(name).path
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:10]
    known = {digest} if file.stat().st_size <= 64 * 2**20 else {digest, None}  # a large file is read meanwhile
    assert event.facts["model_hash"] in known


def test_a_damaged_checkpoint_fails_its_job_by_name_and_the_next_picture_is_unchanged(folder, tmp_path, listener):
    shutil.copy(folder / "sd1.safetensors", tmp_path / "good.safetensors")
    broken = tmp_path / "broken.safetensors"
    shutil.copy(folder / "sd1.safetensors", broken)
    index = ModelIndex([tmp_path])
    engine = InlineEngine(index, dtype="float32")
    engine.start(listener.on_event, listener.on_death)
    sampling = Sampling(sampler="ddim", schedule="normal", steps=2, guidance=4.0)
    request = GenerationRequest(prompt=PROMPT, model="good", size=Size(64, 64), seed=3, sampling=sampling)
    try:
        before = listener.draw(engine, request, "before")
        index.find("broken")
        with broken.open("r+b") as file:
            file.truncate(broken.stat().st_size // 2)
        failed = listener.draw(engine, request.with_(model="broken"), "broken")
        after = listener.draw(engine, request, "after")
    finally:
        engine.close()
    assert failed.state is JobState.FAILED
    assert "broken.safetensors is damaged: it should have" in failed.error
    assert after.pictures[0].rgb == before.pictures[0].rgb
