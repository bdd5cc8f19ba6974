"""A plugin's upscaler between the two passes of a refined picture."""

from __future__ import annotations

import json

import pytest

from tests.unit.plugin_makers import load
from toolkit.engine.inline import InlineEngine
from toolkit.errors import RequestError
from toolkit.jobs import JobState
from toolkit.prepare import prepare
from toolkit.starts import Refine
from toolkit.styles import StyleLibrary

UPSCALER = '''
import json, pathlib
def run(image, scale, options, context):
    told = pathlib.Path({told!r})
    told.write_text(json.dumps([image.size, scale, options["mode"]]))
    return image.resize([round(side * scale) for side in image.size], 0)
@hookimpl
def register_upscalers():
    yield Upscaler("blocks", "Blocks", run, scales=(2.0, 4.0), params=(Text("mode", "Mode", "hard"),))
    yield Upscaler("broken", "Broken", lambda image, scale, options, context: 1 / 0)
'''
REFINED = {"refine": Refine(1.5, "blocks", strength=0.5, steps=4)}


@pytest.fixture
def plugins(tmp_path):
    return load(tmp_path, blocks=UPSCALER.format(told=str(tmp_path / "told.json")))


def test_a_plugins_upscaler_enlarges_between_the_passes(models, listener, tiny_request, tmp_path, plugins):
    engine = InlineEngine(models, dtype="float32", plugins=plugins)
    engine.start(listener.on_event, listener.on_death)
    try:
        usual = listener.draw(engine, tiny_request.with_(refine=Refine(1.5, strength=0.5, steps=4)), "usual")
        end = listener.draw(engine, tiny_request.with_(**REFINED), "blocks")
        assert end.state is JobState.FINISHED, end.error
        assert (end.pictures[0].width, end.pictures[0].height) == (96, 96)
        assert end.pictures[0].rgb != usual.pictures[0].rgb
        assert json.loads((tmp_path / "told.json").read_text()) == [[64, 64], 2.0, "hard"], "it can't do less than 2"
        assert end.note is None

        broken = listener.draw(engine, tiny_request.with_(refine=Refine(1.5, "broken", 0.5, 4)), "broken")
        assert broken.state is JobState.FINISHED, broken.error
        assert broken.pictures[0].rgb == usual.pictures[0].rgb
        assert broken.note == "The upscaler “broken” failed, so the picture was enlarged by Lanczos in between."
    finally:
        engine.close()


def test_only_upscalers_that_are_there_are_accepted(models, tiny_request, plugins):
    asked = tiny_request.with_(**REFINED)
    assert prepare(asked, models, StyleLibrary([]), plugins=plugins).refine.upscaler == "blocks"
    with pytest.raises(RequestError, match="lanczos") as refused:
        prepare(asked, models, StyleLibrary([]))
    assert refused.value.field == "refine.upscaler"
