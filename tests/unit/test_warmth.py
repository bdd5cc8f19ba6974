"""What engines have in memory is told to other processes, and the word of a dead one counts for nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from toolkit.model_folders import LIST, ModelFolders
from toolkit.warmth import folder_beside, read_loaded, tell_loaded


def test_the_word_of_a_living_engine_counts_until_it_is_taken_back(tmp_path):
    folder = folder_beside(ModelFolders([tmp_path / "models", tmp_path / "data" / LIST]))
    assert folder == tmp_path / "data" / "engines"
    assert read_loaded(folder) == {}
    tell_loaded(folder, [{"path": "/a", "warm": True}, {"path": "/b", "warm": False}])
    assert read_loaded(folder) == {"/a": True, "/b": False}
    tell_loaded(folder, [])
    assert read_loaded(folder) == {}
    assert list(folder.iterdir()) == []


def test_a_dead_engine_and_one_whose_number_was_given_again_are_forgotten(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for number, started in ((ended.pid, 1.0), (os.getpid(), 1.0)):
        told = {"started": started, "models": [{"path": "/a", "warm": True}]}
        (tmp_path / f"{number}.json").write_text(json.dumps(told))
    (tmp_path / "notes.json").write_text("[]")
    assert read_loaded(tmp_path) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["notes.json"]


def test_an_index_without_a_data_folder_has_nobody_to_tell(tmp_path):
    assert folder_beside(ModelFolders([tmp_path])) is None
    tell_loaded(None, [{"path": "/a", "warm": True}])
    assert read_loaded(None) == {}
