"""Control pictures beside the drawing: every engine makes the one that drawing would follow, or says why not."""

from __future__ import annotations

import io
from concurrent.futures import Future

import pytest
from PIL import Image, ImageDraw

from toolkit.adapters import ControlUse
from toolkit.engine import open_engine
from toolkit.engine.preprocessing import ControlAsk, ControlMade
from toolkit.geometry import Size
from toolkit.plugins.plugins import Plugins


def asked(engine, use: ControlUse, size: Size, picture: Image.Image) -> ControlMade:
    file = io.BytesIO()
    picture.save(file, "PNG")
    answer: Future[ControlMade] = Future()
    engine.preprocess(ControlAsk(use, size, file.getvalue()), answer.set_result)
    return answer.result(timeout=120)


def fish() -> Image.Image:
    image = Image.new("RGB", (300, 200), (40, 90, 200))
    ImageDraw.Draw(image).ellipse((60, 40, 240, 160), fill=(220, 40, 40))
    return image


def test_the_picture_is_the_one_that_is_followed(engine):
    cv2 = pytest.importorskip("cv2")
    import numpy as np

    from toolkit.resizing import resized

    options = {"low": 60, "high": 120}
    made = asked(engine, ControlUse("lines", "0" * 64, "canny", options=options), Size(128, 128), fish())
    assert made.error == "" and (made.picture.width, made.picture.height) == (128, 128)
    expected = cv2.Canny(np.asarray(resized(fish(), Size(128, 128), "crop")), 60, 120)
    assert made.picture.rgb == Image.fromarray(expected).convert("RGB").tobytes()
    assert expected.any()


def test_without_a_preprocessor_it_is_the_picture_at_its_size(engine):
    made = asked(engine, ControlUse("lines", "0" * 64, resize="stretch"), Size(64, 32), fish())
    assert made.picture.rgb == fish().resize((64, 32), Image.Resampling.LANCZOS).tobytes()


def test_missing_weights_are_a_sentence_and_the_next_one_is_made(engine):
    made = asked(engine, ControlUse("pose", "0" * 64, "openpose"), Size(64, 64), fish())
    assert made.picture is None and made.field == "controls"
    assert "body_pose_model.pth" in made.error and "models/annotators" in made.error
    unknown = asked(engine, ControlUse("pose", "0" * 64, "palm-reading"), Size(64, 64), fish())
    assert unknown.picture is None and "“palm-reading” is not there" in unknown.error
    assert asked(engine, ControlUse("lines", "0" * 64, "canny"), Size(64, 64), fish()).picture is not None


def test_an_engine_that_closes_leaves_nobody_waiting(models, tmp_path):
    engine = open_engine("process", models=models, data=tmp_path, plugins=Plugins(tmp_path))
    answer: Future[ControlMade] = Future()
    engine.preprocess(ControlAsk(ControlUse("lines", "0" * 64, "canny"), Size(64, 64), b""), answer.set_result)
    engine.close()
    assert "closing" in answer.result(timeout=5).error
    late: Future[ControlMade] = Future()
    engine.preprocess(ControlAsk(ControlUse("lines", "0" * 64, "canny"), Size(64, 64), b""), late.set_result)
    assert "closing" in late.result(timeout=5).error
