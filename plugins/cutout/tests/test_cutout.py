"""The ground goes, the thing and its soft edges stay."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from toolkit.errors import RequestError
from toolkit.plugins import calls
from toolkit.request import GenerationRequest

FOLDER = Path(__file__).resolve().parent.parent


def ring():
    large = Image.new("RGB", (512, 512), (240, 240, 230))
    ImageDraw.Draw(large).ellipse((100, 100, 410, 410), fill=(200, 30, 40))
    ImageDraw.Draw(large).ellipse((200, 200, 310, 310), fill=(240, 240, 230))
    return large.resize((128, 128), Image.Resampling.LANCZOS)


def test_the_ground_is_gone_and_the_edge_is_soft(load_plugin, finish):
    load_plugin(FOLDER)
    done = finish("cutout", ring())
    alpha = np.asarray(done)[..., 3]
    assert done.mode == "RGBA"
    assert (alpha[2, 2], alpha[64, 36], alpha[64, 64]) == (0, 255, 255)
    assert ((alpha > 0) & (alpha < 255)).sum() > 50
    over = Image.new("RGBA", done.size, (240, 240, 230, 255))
    over.alpha_composite(done)
    off = np.abs(np.asarray(over.convert("RGB")).astype(int) - np.asarray(ring()).astype(int))
    assert off.mean() < 1.5, "laid over its own ground the picture is what it was"


def test_holes_are_cut_when_asked(load_plugin, finish):
    load_plugin(FOLDER)
    assert np.asarray(finish("cutout", ring(), holes=True))[64, 64, 3] == 0


def test_a_plain_ground_is_saved_as_a_transparent_png(load_plugin):
    plugins = load_plugin(FOLDER)
    file = io.BytesIO()
    info = PngInfo()
    info.add_text("limner", "{}")
    ring().save(file, "PNG", pnginfo=info)
    with Image.open(file) as picture:
        made = Image.open(io.BytesIO(calls.export(plugins, "cutout", picture, GenerationRequest("ring", seed=1))))
    assert (made.mode, made.text, made.getpixel((2, 2))[3]) == ("RGBA", {"limner": "{}"}, 0)
    busy = Image.effect_noise((64, 64), 90).convert("RGB")
    with pytest.raises(RequestError, match="plain background"):
        calls.export(plugins, "cutout", busy, GenerationRequest("noise", seed=1))


def tiny_model(folder, labels):
    """A SegFormer of random weights; the real class, in a folder as people have them."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    config = transformers.SegformerConfig(
        depths=[1, 1], num_encoder_blocks=2, hidden_sizes=[8, 16], sr_ratios=[4, 2], patch_sizes=[7, 3], strides=[4, 2],
        num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, num_labels=len(labels),
        id2label=dict(enumerate(labels)), label2id={label: number for number, label in enumerate(labels)},
    )  # fmt: skip
    model = transformers.SegformerForSemanticSegmentation(config).eval()
    model.decode_head.classifier.weight.data *= 500  # fresh weights are so small that every class is as likely
    model.save_pretrained(folder)
    transformers.SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return torch, model


def test_a_model_takes_its_background_away(load_plugin, finish, tmp_path):
    torch, model = tiny_model(tmp_path / "segmentation" / "tiny", ["thing", "Background", "sky"])
    load_plugin(FOLDER).models = tmp_path
    done = finish("cutout", ring(), by="model")
    from transformers import AutoImageProcessor

    inputs = AutoImageProcessor.from_pretrained(tmp_path / "segmentation" / "tiny")(images=ring(), return_tensors="pt")
    with torch.inference_mode():
        ground = model(**inputs).logits.softmax(1)[0, 1]
    whole = torch.nn.functional.interpolate(1 - ground[None, None], (128, 128), mode="bilinear")[0, 0]
    alpha = np.asarray(done)[..., 3]
    assert np.abs(alpha - whole.numpy() * 255).max() < 1
    assert alpha.std() > 3 and done.convert("RGB").tobytes() == ring().tobytes()


def test_without_weights_it_says_what_to_put_where(load_plugin, finish, tmp_path):
    load_plugin(FOLDER).models = tmp_path
    with pytest.raises(RequestError, match=r"preprocessor_config.json and model.safetensors.*segmentation"):
        finish("cutout", ring(), by="model")
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    assert finish("cutout", noise, by="auto").mode == "RGBA", "without a model colour does what it can"
    (tmp_path / "segmentation" / "broken").mkdir(parents=True)
    (tmp_path / "segmentation" / "broken" / "config.json").write_text("{}", "utf-8")
    pytest.importorskip("transformers")
    with pytest.raises(RequestError, match="broken is no model"):
        finish("cutout", noise, by="auto")
