"""The ways of attending: the same picture, whichever is chosen, for the denoiser and for what steers it."""

from __future__ import annotations

import pytest
import torch
from diffusers import ControlNetModel
from diffusers.models.attention_processor import AttnProcessor, SlicedAttnProcessor

from toolkit.engine.attention import attend
from toolkit.engine.inline import InlineEngine
from toolkit.engine.manager import PipelineManager
from toolkit.errors import SettingsError
from toolkit.settings import load_settings

KINDS = {"plain": AttnProcessor, "sliced": SlicedAttnProcessor}


def called(module, rows: int = 3) -> torch.Tensor:
    chance = torch.Generator().manual_seed(0)
    sample, text = torch.randn(rows, 4, 8, 8, generator=chance), torch.randn(rows, 77, 32, generator=chance)
    with torch.no_grad():
        return module(sample, 500, text)[0]


@pytest.mark.parametrize("way", KINDS)
def test_every_way_predicts_the_same(models, way):
    model = models.find("tiny")
    other = PipelineManager("float32", attention=way)
    with PipelineManager("float32").lease(model) as usual, other.lease(model) as own:
        assert {type(one) for one in own.unet.attn_processors.values()} == {KINDS[way]}
        assert not {type(one) for one in usual.unet.attn_processors.values()} & {*KINDS.values()}
        assert (called(usual.unet) - called(own.unet)).abs().max() <= 1e-5
        net = ControlNetModel.from_unet(own.unet)
        attend(net, way)
        assert {type(one) for one in net.attn_processors.values()} == {KINDS[way]}


def test_pictures_say_how_they_were_attended(models, listener, tiny_request):
    engine = InlineEngine(models, dtype="float32", attention="sliced")
    engine.start(listener.on_event, listener.on_death)
    usual = InlineEngine(models, dtype="float32")
    usual.start(listener.on_event, listener.on_death)
    try:
        own, plain = listener.draw(engine, tiny_request, "own"), listener.draw(usual, tiny_request, "plain")
        assert own.facts["attention"] == "sliced" and "attention" not in plain.facts
        pairs = zip(own.pictures[0].rgb, plain.pictures[0].rgb, strict=True)
        assert max(abs(one - other) for one, other in pairs) <= 1
    finally:
        engine.close()
        usual.close()


def test_a_way_that_there_is_not_is_refused(tmp_path):
    assert load_settings(data=tmp_path, attention="plain").attention == "plain"
    with pytest.raises(SettingsError, match="'auto', 'plain' or 'sliced'"):
        load_settings(data=tmp_path, attention="xformers")
