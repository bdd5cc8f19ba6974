"""ControlNet: what diffusers draws with it, beside jobs that have none, and refused where it will not do."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image, ImageDraw

from toolkit import GenerationRequest
from toolkit.adapters import ControlUse
from toolkit.errors import EngineError, RequestError
from toolkit.models import ModelIndex
from toolkit.settings import load_settings
from toolkit.starter.depth import layers_seen
from toolkit.starter.landscapes import Landscape
from toolkit.studio import ROOT, Studio

PROMPT = "a red fish on a blue background"


def save_net(folder: Path, unet, seed=0, **changes):
    """A ControlNet of the denoiser's shape that does something: its last layers are not zeros."""
    torch.manual_seed(seed)
    net = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=(4, 8, 8, 16), load_weights_from_unet=True
    )
    for layer in (*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out):
        torch.nn.init.normal_(layer.weight, std=0.1)
    net.save_pretrained(folder)
    if changes:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return net.eval()


@pytest.fixture(scope="module")
def pipeline():
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(ROOT / "models" / "checkpoints" / "limner-starter")
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def net(pipeline, tmp_path_factory):
    return save_net(tmp_path_factory.mktemp("models") / "models" / "controlnet" / "tiny-canny", pipeline.unet)


@pytest.fixture(scope="module")
def studio(net, pipeline, tmp_path_factory):
    folder = next(path for path in tmp_path_factory.getbasetemp().glob("models*/models"))
    save_net(folder / "controlnet" / "other-depth", pipeline.unet, cross_attention_dim=999)
    data = tmp_path_factory.mktemp("control")
    settings = load_settings(data=data, dtype="float32", models=[ROOT / "models" / "checkpoints", folder])
    with Studio(settings=settings) as studio:
        yield studio


@pytest.fixture(scope="module")
def drawing(studio):
    image = Image.new("RGB", (256, 256), (40, 90, 200))
    ImageDraw.Draw(image).ellipse((60, 80, 200, 180), fill=(220, 40, 40))
    return studio.inputs.add(image).sha


def pixels(image):
    return np.asarray(image, dtype=np.float32)


def test_it_draws_what_diffusers_own_pipeline_draws(studio, net, pipeline, drawing):
    from diffusers import DDIMScheduler, StableDiffusionControlNetPipeline

    use = ControlUse("tiny-canny", drawing, weight=0.7, start=0.0, end=1.0)
    request = studio.prepare(
        GenerationRequest(PROMPT, seed=3, controls=(use,)).with_(steps=6, guidance=3.0, sampler="ddim")
    )
    ours = studio.generate(request)[0].image
    parts = {**pipeline.components, "scheduler": DDIMScheduler.from_config(pipeline.scheduler.config)}
    peer = StableDiffusionControlNetPipeline(**parts, controlnet=net, requires_safety_checker=False)
    peer.set_progress_bar_config(disable=True)
    with torch.no_grad():
        theirs = peer(
            PROMPT, image=studio.inputs.get(drawing), num_inference_steps=6, guidance_scale=3.0,
            controlnet_conditioning_scale=0.7, generator=torch.Generator().manual_seed(3), width=256, height=256,
        ).images[0]  # fmt: skip
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 2
    plain = studio.generate(request.with_(controls=()))[0].image
    assert np.abs(pixels(ours) - pixels(plain)).mean() > 1


def test_a_kind_means_a_net_that_fits_and_its_usual_preprocessor(studio, drawing):
    request = studio.prepare(GenerationRequest(PROMPT, controls=(ControlUse("lines", drawing, "auto"),)))
    assert request.controls[0].kind in ("tiny-canny", "limner-starter-lines")
    assert request.controls[0].preprocessor == "canny"
    assert studio.prepare(request) == request


@pytest.mark.parametrize(
    ("use", "field", "words"),
    [
        ({"kind": "smell"}, "controls.0.kind", "no control called “smell”"),
        ({"kind": "openpose"}, "controls.0.kind", "put one with “openpose” in its name"),
        ({"kind": "other-depth"}, "controls.0.kind", "another family"),
        ({"kind": "canny", "preprocessor": "magic"}, "controls.0.preprocessor", "there are none, canny"),
        ({"kind": "canny", "image": "0" * 64}, "controls.0.image", "not among yours"),
        ({"kind": "canny", "preprocessor": "canny", "options": {"low": 999}}, "controls.0.options", "999"),
    ],
)
def test_what_will_not_do_is_refused_before_anything_runs(studio, drawing, use, field, words):
    with pytest.raises(RequestError, match=words) as refused:
        studio.prepare(GenerationRequest(PROMPT, controls=(ControlUse(**{"image": drawing, **use}),)))
    assert refused.value.field.startswith(field)


def test_missing_weights_of_a_preprocessor_are_asked_for(studio, drawing):
    use = ControlUse("tiny-canny", drawing, preprocessor="openpose")
    with pytest.raises(EngineError, match=r"body_pose_model\.pth"):
        studio.generate(GenerationRequest(PROMPT, seed=3, controls=(use,)))


def test_jobs_with_and_without_it_share_calls_and_draw_as_alone(studio, drawing):
    plain = GenerationRequest(PROMPT, seed=3).with_(steps=6)
    steered = plain.with_(controls=(ControlUse("canny", drawing, "canny", start=0.0, end=0.6),))
    alone = [studio.generate(request, exact=True)[0].image for request in (plain, steered)]
    jobs = [studio.submit(request) for request in (plain, steered, steered, plain)]
    done = threading.Event()
    images = [job.wait(timeout=120)[0].image for job in jobs]
    done.set()
    for image, reference in zip(images, (*alone, *reversed(alone)), strict=True):
        assert np.abs(pixels(image) - pixels(reference)).max() <= 2


def test_plugins_that_bring_controls_can_be_taken_away(net, tmp_path, drawing):
    assert net is not None
    settings = load_settings(data=tmp_path, safe_mode=True)
    with Studio(settings=settings, engine="sketch") as bare:
        assert bare.plugins.registry.controls() == {}
        with pytest.raises(RequestError, match="no control"):
            bare.prepare(
                GenerationRequest(
                    PROMPT, controls=(ControlUse("smell", bare.inputs.add(Image.new("RGB", (64, 64))).sha),)
                )
            )


def test_the_index_knows_folders_by_their_names(studio):
    from toolkit.controls import control_files

    names = {file.name for file in control_files(studio.models)}
    assert {"tiny-canny", "other-depth"} <= names
    assert isinstance(studio.models, ModelIndex)


def test_the_starters_lines_bring_their_own_way_of_sampling_and_are_followed(studio, drawing):
    use = ControlUse("limner-starter-lines", drawing, "canny")
    request = studio.prepare(GenerationRequest("a yellow fish on a green background", seed=8, controls=(use,)))
    assert (request.sampling.sampler, request.sampling.guidance) == ("euler_a", 1.0)
    assert studio.prepare(GenerationRequest(PROMPT, controls=(use,)).with_(guidance=2.0)).sampling.guidance == 2.0
    followed, free = (pixels(studio.generate(one)[0].image) for one in (request, request.with_(controls=())))
    border = edges(pixels(studio.inputs.get(drawing)))
    assert edges(followed)[border].mean() > 0.5 > edges(free)[border].mean() + 0.1


@pytest.mark.parametrize("horizon", [110, 190])
def test_the_starters_depth_puts_the_horizon_where_a_painted_map_has_it(studio, horizon):
    painted = Image.new("RGB", (256, 256))
    ImageDraw.Draw(painted).rectangle((0, horizon, 256, 256), fill=(140, 140, 140))
    use = ControlUse("depth", studio.inputs.add(painted).sha, "none")
    request = studio.prepare(GenerationRequest("morning landscape with hill", seed=8, controls=(use,)))
    assert request.controls[0].kind == "limner-starter-depth"
    layers = layers_seen(np.asarray(studio.generate(request)[0].image), Landscape("morning", "hill"))
    assert abs(float(np.median(layers.argmax(0))) - horizon) < 10


def edges(image):
    """Where colours change within two pixels."""
    import cv2

    found = cv2.Canny(image.astype(np.uint8), 100, 200)
    return cv2.dilate(found, np.ones((5, 5), np.uint8)) > 0


def test_one_call_of_a_net_serves_the_rows_of_all_jobs_and_each_gets_its_own(net):
    from copy import deepcopy

    from toolkit.engine.adapters.control import Steering, steered
    from toolkit.engine.adapters.control_nets import Net
    from toolkit.engine.merging import Inputs, UNetRules

    torch.manual_seed(5)
    model = deepcopy(net)
    pictures = [torch.rand(1, 3, 256, 256) for _ in range(2)]
    own = Net(model)
    hints = [own.hint(picture) for picture in pictures]
    model.controlnet_cond_embedding.forward = lambda hint: hint
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    steering = [(Steering(own, hints[0], 0.7),), (), (Steering(own, hints[1], 0.3), Steering(own, hints[0], 0.5))]
    parts = [
        Inputs(torch.randn(rows, 4, 32, 32), torch.full((rows,), 300.0 * rows), torch.randn(rows, 77, 128), {}, one)
        for rows, one in zip((2, 1, 2), steering, strict=True)
    ]
    with torch.no_grad():
        together = steered(parts, UNetRules().join(parts))
        assert len(calls) == 1
        first = 0
        for part in parts:
            expected = None
            for one in part.steering:
                picture = pictures[0 if one.hint is hints[0] else 1].expand(part.rows, -1, -1, -1)
                down, middle = net(
                    part.sample, part.timestep, part.text, picture, conditioning_scale=one.weight, return_dict=False
                )  # fmt: skip
                added = [*down, middle]
                expected = added if expected is None else [a + b for a, b in zip(expected, added, strict=True)]
            found = (*together.others["down_block_additional_residuals"],
                     together.others["mid_block_additional_residual"])  # fmt: skip
            for place, residual in enumerate(found):
                rows = residual[first : first + part.rows]
                wanted = expected[place] if expected else torch.zeros_like(rows)
                assert (rows - wanted).abs().max() <= 1e-5 * max(1.0, wanted.abs().max().item())
            first += part.rows
