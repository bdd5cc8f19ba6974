"""Samplers are found by every name people know them by, and follow only schedules they can."""

from __future__ import annotations

import pytest

from toolkit.errors import RequestError
from toolkit.samplers import (
    SAMPLERS,
    SCHEDULES,
    check_sampler,
    choose_schedule,
    find_sampler,
    find_schedule,
    scheduler_options,
    table,
)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.name)
def test_name_label_and_aliases_lead_to_the_same_sampler(sampler):
    for name in (sampler.name, sampler.label, sampler.label.upper(), *sampler.aliases):
        assert find_sampler(name) == (sampler, None)


def test_old_names_carry_their_schedule():
    for written, name, schedule in [
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("Euler Exponential", "euler", "exponential"),
        ("k_dpmpp_2m karras", "dpmpp_2m", "karras"),
    ]:
        sampler, found = find_sampler(written)
        assert (sampler.name, found) == (name, schedule)


def test_an_unknown_sampler_is_answered_with_the_ones_that_exist():
    with pytest.raises(RequestError) as caught:
        find_sampler("DPM fast")
    assert caught.value.field == "sampling.sampler"
    assert "“DPM fast”" in str(caught.value)
    assert all(sampler.label in str(caught.value) for sampler in SAMPLERS)


def test_auto_takes_the_models_schedule_then_the_samplers_own():
    sampler, _ = find_sampler("dpmpp_2m")
    assert choose_schedule(sampler, "auto") == "karras"
    assert choose_schedule(sampler, "Automatic", "normal") == "normal"
    assert choose_schedule(sampler, "Exponential", "normal") == "exponential"
    assert choose_schedule(find_sampler("ddim")[0], "auto", "karras") == "normal"


def test_a_schedule_the_sampler_cannot_follow_is_refused():
    with pytest.raises(
        RequestError, match=r"DDIM can't follow the Karras schedule\. It can follow Normal, SGM Uniform, DDIM\."
    ):
        choose_schedule(find_sampler("ddim")[0], "karras")
    with pytest.raises(RequestError, match="no schedule called “wavy”"):
        find_schedule("wavy")


def test_options_switch_on_one_schedule_and_off_all_others():
    sampler, _ = find_sampler("euler")
    for schedule in SCHEDULES:
        options = scheduler_options(sampler, schedule.name)
        switches = {name: value for name, value in options.items() if name.startswith("use_")}
        assert set(switches) == {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"}
        assert [name for name, on in switches.items() if on] == [n for n in schedule.options if n.startswith("use_")]


def test_the_table_is_consistent():
    known = {schedule.name for schedule in SCHEDULES}
    names = [name for sampler in SAMPLERS for name in (sampler.name, sampler.label.lower(), *sampler.aliases)]
    spoken = [name.replace("_", " ") for name in names]
    for sampler in SAMPLERS:
        assert sampler.default_schedule in sampler.schedules
        assert set(sampler.schedules) <= known
    owners = {}
    for sampler in SAMPLERS:
        for name in {sampler.name.replace("_", " "), sampler.label.lower(), *sampler.aliases}:
            assert owners.setdefault(name, sampler.name) == sampler.name, f"{name} leads to two samplers"
    assert len(spoken) > len(SAMPLERS)


def test_the_page_of_the_docs_is_the_table():
    from pathlib import Path

    page = (Path(__file__).resolve().parents[2] / "docs" / "samplers.md").read_text(encoding="utf-8")
    assert table() in page, "write it anew from `toolkit.samplers.table()`"


@pytest.mark.parametrize(
    ("name", "prediction", "steps", "eta", "field"),
    [
        ("plms", "v_prediction", 20, None, "sampling.sampler"),
        ("lcm", "epsilon", 51, None, "sampling.steps"),
        ("euler", "epsilon", 20, 0.5, "sampling.eta"),
        ("ddim", "epsilon", 20, 1.5, "sampling.eta"),
        ("ddim", "epsilon", 20, float("nan"), "sampling.eta"),
    ],
)
def test_what_a_sampler_cannot_do_is_refused(name, prediction, steps, eta, field):
    check_sampler(find_sampler("ddim")[0], "v_prediction", 150, 1.0)
    with pytest.raises(RequestError) as caught:
        check_sampler(find_sampler(name)[0], prediction, steps, eta)
    assert caught.value.field == field
