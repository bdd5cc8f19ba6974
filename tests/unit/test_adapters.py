"""LoRAs and ControlNet units as values: they survive JSON, and a value that can't be is refused with its name."""

import json

import pytest

from toolkit.adapters import ControlUse, LoraUse, check_controls, check_loras, controls_from, loras_from
from toolkit.errors import RequestError
from toolkit.request import GenerationRequest

SHA = "0123456789abcdef" * 4


def test_they_survive_json_with_defaults_left_out():
    request = GenerationRequest(
        "a fish",
        loras=(LoraUse("neon"), LoraUse("linocut", 0.5, text_weight=0.0, start=0.2, end=0.8)),
        controls=(ControlUse("lines", SHA, "canny", weight=0.7, options={"low": 100}),),
    )
    plain = json.loads(json.dumps(request.to_dict()))
    assert plain["loras"][0] == {"name": "neon"}
    assert GenerationRequest.from_dict(plain) == request
    assert request.pictures() == (SHA,)


@pytest.mark.parametrize(
    ("read", "plain", "field"),
    [
        (loras_from, "neon", "loras"),
        (loras_from, [{"name": "neon"}] * 13, "loras"),
        (loras_from, [3], "loras.0"),
        (loras_from, [{"weight": 1.0}], "loras.0.name"),
        (loras_from, [{"name": "neon", "strength": 1}], "loras.0.strength"),
        (loras_from, [{"name": "neon", "weight": True}], "loras.0.weight"),
        (loras_from, [{"name": "neon", "weight": "1"}], "loras.0.weight"),
        (controls_from, [{"kind": "lines"}], "controls.0.image"),
        (controls_from, [{"kind": "lines", "image": SHA, "options": {"a": [1]}}], "controls.0.options"),
    ],
)
def test_what_is_none_is_refused(read, plain, field):
    with pytest.raises(RequestError) as refused:
        read(plain)
    assert refused.value.field.startswith(field)


@pytest.mark.parametrize(
    ("lora", "field"),
    [
        (LoraUse("neon", 5.0), "loras.0.weight"),
        (LoraUse("neon", float("nan")), "loras.0.weight"),
        (LoraUse("neon", text_weight=-9.0), "loras.0.text_weight"),
        (LoraUse("neon", start=0.5, end=0.5), "loras.0.start"),
        (LoraUse("neon", end=1.1), "loras.0.start"),
    ],
)
def test_values_of_a_lora_have_bounds(lora, field):
    check_loras((LoraUse("fine", -1.0),))
    with pytest.raises(RequestError) as refused:
        check_loras((lora,))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("unit", "field"),
    [
        (ControlUse("lines", "a.png"), "controls.0.image"),
        (ControlUse("lines", SHA, weight=2.5), "controls.0.weight"),
        (ControlUse("lines", SHA, start=0.9, end=0.1), "controls.0.start"),
        (ControlUse("lines", SHA, resize="squeeze"), "controls.0.resize"),
    ],
)
def test_values_of_a_control_have_bounds(unit, field):
    check_controls((ControlUse("lines", SHA, weight=2.0),))
    with pytest.raises(RequestError) as refused:
        check_controls((unit,))
    assert refused.value.field == field
