"""The Models page over the wire: what a model needs, and folders that the owner alone may name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.webui.people import PAPER
from webui.server import App, Server

Person = Callable[[], httpx.Client]


@pytest.fixture
def owner(server: Server) -> httpx.Client:
    with httpx.Client(base_url=server.url, timeout=60, follow_redirects=True) as client:
        assert client.get(server.start_link).status_code == 200
        yield client


def test_a_models_memory_is_told(person: Person) -> None:
    answer = person().get("/limner/models").json()
    model = next(model for model in answer["models"] if model["id"] == PAPER)
    assert "needs" in model
    assert set(answer["machine"]) == {"device", "dtype", "budget", "used"}
    assert "folders" not in answer


def test_the_owner_adds_and_removes_folders(owner: httpx.Client, app: App, tmp_path: Path) -> None:
    mine = tmp_path / "webui" / "models" / "Lora"
    mine.mkdir(parents=True)
    (mine / "ink.safetensors").write_bytes(b"\0")
    added = owner.post("/limner/models/folders", json={"folder": f"  {tmp_path / 'webui'} "})
    assert added.status_code == 200 and added.json()["counts"] == {"LoRAs": 1}
    assert owner.get("/limner/models").json()["folders"] == [str(tmp_path / "webui")]
    again = owner.post("/limner/models/folders", json={"folder": str(tmp_path / "webui")})
    assert again.status_code == 422 and "in the list already" in again.json()["error"]
    assert owner.post("/limner/models/folders", json={"folder": str(tmp_path / "webui"), "remove": True}).is_success
    assert owner.get("/limner/models").json()["folders"] == [] and (mine / "ink.safetensors").exists()


@pytest.mark.parametrize("folder", ["", " ", "/no/such/folder", "a\0b", 7, "x" * 5000])
def test_what_is_no_folder_is_one_sentence(owner: httpx.Client, folder: object) -> None:
    answer = owner.post("/limner/models/folders", json={"folder": folder})
    assert answer.status_code == 422 and answer.json()["error"].endswith(".")


def test_a_visitor_names_no_folders(person: Person, tmp_path: Path) -> None:
    refused = person().post("/limner/models/folders", json={"folder": str(tmp_path)})
    assert refused.status_code == 403 and "Only the owner" in refused.json()["error"]
