"""What is drawn: the plain diffusers picture, whatever stands between the request and it."""

from __future__ import annotations

import copy
import shutil
import threading

import numpy as np
import pytest
import torch

from toolkit.engine import passes
from toolkit.engine.decoding import Decoder
from toolkit.engine.drawing import Drawer
from toolkit.engine.inline import InlineEngine
from toolkit.engine.manager import PipelineManager
from toolkit.engine.passes import make_scheduler
from toolkit.engine.protocol import EngineJob
from toolkit.engine.runner import Control
from toolkit.errors import EngineError, ModelError
from toolkit.geometry import Size
from toolkit.jobs import JobState
from toolkit.models import ModelIndex
from toolkit.samplers import SAMPLERS


@pytest.fixture(scope="module")
def manager():
    manager = PipelineManager("float32")
    yield manager
    manager.close()


@pytest.fixture
def draw(manager, models):
    """Draw a request on this thread; returns pixels (pictures, height, width, 3)."""

    def drawn(request, events=None):
        job = EngineJob("job", request)
        control = Control(job, (events if events is not None else []).append)
        result = Drawer(models, manager, "test").draw(job, control)
        return np.stack([np.frombuffer(p.rgb, np.uint8).reshape(p.height, p.width, 3) for p in result.pictures])

    return drawn


def plain(model, request, scheduler):
    """The same by diffusers alone, as its documentation calls it."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(str(model.path), safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = scheduler
    picture = pipeline(
        request.prompt, negative_prompt=request.negative, width=request.size.width, height=request.size.height,
        num_inference_steps=request.sampling.steps, guidance_scale=request.sampling.guidance,
        generator=torch.Generator().manual_seed(request.seed),
    ).images[0]  # fmt: skip
    return np.asarray(picture)


def difference(one, other) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.name)
def test_every_sampler_draws_what_the_plain_pipeline_draws(draw, manager, models, tiny_request, sampler):
    model = models.find("tiny")
    for schedule in sampler.schedules:
        request = tiny_request.with_(sampler=sampler.name, schedule=schedule, steps=6, negative="blue star")
        with manager.lease(model) as components:
            scheduler = make_scheduler(components, sampler.name, schedule)
        assert difference(draw(request)[0], plain(model, request, scheduler)) <= 1, schedule


def test_without_guidance_and_in_another_shape(draw, manager, models, tiny_request):
    request = tiny_request.with_(guidance=1.0, size=Size(96, 64))
    with manager.lease(models.find("tiny")) as components:
        scheduler = make_scheduler(components, "ddim", "normal")
    assert difference(draw(request)[0], plain(models.find("tiny"), request, scheduler)) <= 1


def test_the_end_of_a_long_prompt_still_counts(draw, tiny_request):
    """diffusers cuts a prompt after one window of tokens; here the next windows are read as well."""
    long = "a red fish on white " * 30
    changed = draw(tiny_request.with_(prompt=long + "big blue star"))
    assert difference(draw(tiny_request.with_(prompt=long)), changed) > 0
    assert difference(draw(tiny_request.with_(prompt=long, negative="blue " * 200)), changed) > 0


def test_repeating_windows_to_match_the_other_prompt_changes_nothing(manager, models):
    with manager.lease(models.find("tiny")) as components:
        short = components.text.encode("red fish").embeds
        pair = components.text.encode_pair("red fish", "star " * 100)
        positive, negative = pair.positive.embeds, pair.negative.embeds
        unet, noise = components.unet, torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
        assert positive.shape == negative.shape
        assert positive.shape[1] > short.shape[1]
        with torch.no_grad():
            alone, repeated = (unet(noise, 500, text).sample for text in (short, positive))
    assert (alone - repeated).abs().max() <= 1e-5


def test_many_pictures_are_drawn_in_batches_with_one_count_of_steps(draw, tiny_request, monkeypatch):
    request = tiny_request.with_(count=5)
    whole, events = draw(request), []
    monkeypatch.setitem(passes._AT_ONCE, "cpu", 2 * 64 * 64)
    in_batches = draw(request, events)
    assert difference(whole, in_batches) <= 1
    assert {event.steps for event in events if event.step} == {12}
    assert [event.step for event in events if event.phase == "denoising"][-1] == 12


def test_when_memory_runs_out_fewer_pictures_are_drawn_at_once(draw, manager, models, tiny_request):
    expected = draw(tiny_request.with_(count=4))
    with manager.lease(models.find("tiny")) as components:
        full = components.unet.forward

        def small(sample, *args, **kwargs):
            if sample.shape[0] > 4:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return full(sample, *args, **kwargs)

        components.unet.forward = small
        try:
            assert difference(draw(tiny_request.with_(count=4)), expected) <= 1
            components.unet.forward = lambda *args, **kwargs: small(torch.zeros(9))
            with pytest.raises(EngineError, match="not enough memory for 64 × 64"):
                draw(tiny_request)
        finally:
            components.unet.forward = full
    assert difference(draw(tiny_request.with_(count=4)), expected) == 0


def test_a_black_picture_is_decoded_again_in_float32(manager, models):
    with manager.lease(models.find("tiny")) as components:
        latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
        expected, note = components.decoder.decode(latents)
        assert note is None
        overflowing = copy.deepcopy(components.vae).half()
        # A scale that half precision can't hold, undone one layer later: NaN in float16, exact in float32.
        with torch.no_grad():
            overflowing.post_quant_conv.weight.mul_(2.0**15)
            overflowing.post_quant_conv.bias.mul_(2.0**15)
            overflowing.decoder.conv_in.weight.mul_(2.0**-8)
        mended, note = Decoder(overflowing).decode(latents * 2.0**3)
        assert "again in float32" in note
        assert len(set(mended.rgb)) > 1
        with pytest.raises(EngineError, match="NaN"):
            components.decoder.decode(latents * float("nan"))
        assert components.decoder.decode(latents)[0] == expected


def test_loading_a_model_does_not_disturb_one_that_draws(checkpoints, tiny_request, tmp_path, models):
    """While `from_pretrained` runs, tensors that other threads make get wrong dtypes; our loading must not do that."""
    manager = PipelineManager("bfloat16")
    wrong: list[torch.Tensor] = []
    stop = threading.Event()

    def draw_meanwhile() -> None:
        while not stop.is_set():
            made = [torch.zeros(4), torch.nn.Linear(4, 4).weight, torch.tensor([0.5]), torch.arange(3.0)]
            wrong.extend(one for one in made if one.dtype != torch.float32 or one.device.type != "cpu")

    thread = threading.Thread(target=draw_meanwhile)
    thread.start()
    try:
        for number in range(5):
            copied = tmp_path / f"copy-{number}"
            shutil.copytree(checkpoints / "tiny", copied)
            with manager.lease(ModelIndex([tmp_path]).find(copied.name)) as components:
                assert components.unet.dtype == torch.bfloat16
    finally:
        stop.set()
        thread.join()
        manager.close()
    assert not wrong, f"{len(wrong)} tensors came out wrong, such as {wrong[0].dtype} on {wrong[0].device}"


def test_models_that_do_not_fit_the_budget_make_room(checkpoints, tmp_path, models):
    shutil.copytree(checkpoints / "tiny", tmp_path / "other")
    manager = PipelineManager("float32", budget=models.find("tiny").bytes + 1000)
    with manager.lease(models.find("tiny")) as first:
        with manager.lease(ModelIndex([tmp_path]).find("other")):
            assert {fact["id"] for fact in manager.loaded()} == {"tiny", "other"}, "a leased model was dropped"
        with manager.lease(models.find("tiny")) as again:
            assert again is first
    with manager.lease(ModelIndex([tmp_path]).find("other")):
        pass
    manager.close()
    assert manager.loaded() == []


@pytest.mark.parametrize("component", ["unet/diffusion_pytorch_model", "text_encoder/model"])
def test_damaged_weights_fail_their_job_by_name_and_nothing_else(
    component, checkpoints, tmp_path, listener, tiny_request
):
    for name in ("sound", "broken"):
        shutil.copytree(checkpoints / "tiny", tmp_path / name)
    file = tmp_path / "broken" / f"{component}.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    engine = InlineEngine(ModelIndex([tmp_path]), dtype="float32")
    engine.start(listener.on_event, listener.on_death)
    try:
        before = listener.draw(engine, tiny_request.with_(model="sound"), "before")
        failed = listener.draw(engine, tiny_request.with_(model="broken"), "broken")
        after = listener.draw(engine, tiny_request.with_(model="sound"), "after")
    finally:
        engine.close()
    assert failed.state is JobState.FAILED
    assert f"broken/{component}.safetensors is damaged" in failed.error
    assert after.pictures[0].rgb == before.pictures[0].rgb


def test_weights_of_another_shape_and_a_tokenizer_without_words_are_named(checkpoints, tmp_path):
    manager = PipelineManager("float32")
    shutil.copytree(checkpoints / "tiny", tmp_path / "shape")
    config = tmp_path / "shape" / "unet" / "config.json"
    config.write_text(config.read_text().replace('"cross_attention_dim": 32', '"cross_attention_dim": 48'))
    unet = r"shape/unet/diffusion_pytorch_model\.safetensors holds weights of other"
    with pytest.raises(ModelError, match=unet), manager.lease(ModelIndex([tmp_path]).find("shape")):
        pass
    shutil.copytree(checkpoints / "tiny", tmp_path / "mute")
    for file in (tmp_path / "mute" / "tokenizer").iterdir():
        if file.name != "tokenizer_config.json":
            file.unlink()
    with pytest.raises(ModelError, match="mute/tokenizer"), manager.lease(ModelIndex([tmp_path]).find("mute")):
        pass
    assert manager.loaded() == []
