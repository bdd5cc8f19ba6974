"""How benchmarks take turns and report, and what the list of models says; nothing here draws."""

from __future__ import annotations

import argparse
import json

import pytest

from toolkit.bench.measure import Result, in_turns, quartiles
from toolkit.commands import bench, models
from toolkit.errors import SettingsError
from toolkit.settings import load_settings


def arguments(command, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_both_sides_run_as_often_and_take_turns_at_being_first():
    calls: list[tuple[str, int]] = []
    ours, peer = in_turns(lambda n: calls.append(("ours", n)), lambda n: calls.append(("peer", n)), 3)
    assert calls == [("ours", 0), ("peer", 0), ("peer", 1), ("ours", 1), ("ours", 2), ("peer", 2)]
    assert len(ours) == len(peer) == 3
    assert min(ours + peer) >= 0


def test_a_result_says_whether_the_aim_was_reached():
    result = Result("one-job", 1.0312345, 1.05, " ×", 0.8, 0.77, 15, (1.0, 1.1), {"dtype": "float32"})
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["value"] == 1.0312
    assert {"value", "aim", "ours_s", "peer_s", "runs", "spread", "dtype"} == set(plain)
    assert "reached" in result.line()
    assert "missed" in Result("cold", 30.0, 20.0, " s", 30.0, 9.0, 3, (29.0, 31.0)).line()
    assert quartiles([4.0]) == (4.0, 4.0)
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)


@pytest.mark.parametrize("words", [["no-such"], ["one-job", "--runs", "0"]])
def test_what_cannot_be_measured_is_refused(words, tmp_path):
    with pytest.raises(SettingsError) as caught:
        bench.run(arguments(bench, *words), load_settings(data=tmp_path))
    assert str(caught.value).endswith(".")


def test_models_are_listed_for_people_and_for_programs(capsys, tmp_path):
    settings = load_settings(data=tmp_path)
    assert models.run(arguments(models), settings) == 0
    assert "limner-starter" in capsys.readouterr().out
    assert models.run(arguments(models, "--json"), settings) == 0
    listed = json.loads(capsys.readouterr().out)
    (starter,) = [model for model in listed["models"] if model["id"] == "limner-starter"]
    assert set(starter) >= {"id", "title", "family", "native_size", "bytes", "licence", "hash", "path"}
    assert starter["family"] == "sd1"
    assert len(starter["hash"]) == 10
