"""Fetching models from a server of this machine that speaks as the hub does, cut off in the middle and gone on with."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolkit.downloads import plan
from toolkit.errors import ModelError


def weights(size: int = 400) -> bytes:
    plain = json.dumps({"weight": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(plain)) + plain + bytes(size)


FOLDER = {
    "model_index.json": b"{}",
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": weights(800),
    "unet/diffusion_pytorch_model.fp16.safetensors": weights(400),
    "unet/diffusion_pytorch_model.bin": b"\x80\x04.",
    "vae/diffusion_pytorch_model.safetensors": weights(),
    "text_encoder/model.safetensors": weights(),
    "tokenizer/merges.txt": b"#version: 0.2\n",
    "whole.safetensors": weights(4000),
    "evil.py": b"raise SystemExit",
}
REPOS = {
    "org/folder": FOLDER,
    "org/one": {"ink.safetensors": weights(), "README.md": b"# Ink"},
    "org/two": {"a.safetensors": weights(), "b.safetensors": weights()},
    "org/pickle": {"m.ckpt": b"\x80\x04."},
}
PLAIN = {"/files/line art.safetensors": weights(200_000), "/files/no.safetensors": b"<html>not here</html>"}
COMMIT = "0" * 40


@dataclass
class Hub:
    """A server with the four answers that fetching needs; `cut` ends the next body after so many bytes."""

    address: str = ""
    cut: int | None = None
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)

    def answer(self, path: str) -> tuple[bytes | None, str]:
        parts = path.strip("/").split("/")
        if path in PLAIN or path.replace("%20", " ") in PLAIN:
            return PLAIN[path.replace("%20", " ")], "application/octet-stream"
        if parts[:2] == ["api", "models"]:
            files = REPOS.get("/".join(parts[2:4]))
            if files is None:
                return None, ""
            siblings = [{"rfilename": name, "size": len(body)} for name, body in files.items()]
            about = {"id": "/".join(parts[2:4]), "sha": COMMIT, "siblings": siblings}
            return json.dumps(about).encode(), "application/json"
        files = REPOS.get("/".join(parts[:2]), {})
        return files.get("/".join(parts[4:])), "application/octet-stream"


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self, with_body: bool) -> None:
            hub.asked.append((self.command, self.path, self.headers.get("Range")))
            body, kind = hub.answer(self.path.split("?")[0])
            start = 0
            if body is not None and (wanted := self.headers.get("Range")):
                start = int(wanted.removeprefix("bytes=").split("-")[0])
            self.send_response(404 if body is None else 206 if start else 200)
            body = body or b"{}"
            self.send_header("Content-Type", kind or "application/json")
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(body) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            if with_body:
                stop = len(body) if hub.cut is None else start + hub.cut
                self.wfile.write(body[start:stop])
                if hub.cut is not None:
                    hub.cut = None
                    self.close_connection = True

        def do_GET(self) -> None:
            self._reply(True)

        def do_HEAD(self) -> None:
            self._reply(False)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _online(monkeypatch, tmp_path) -> None:
    """Other tests keep the hub's library offline; it reads that when it is imported."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


def test_a_folder_is_fetched_without_doubles_and_without_code(hub, tmp_path):
    planned = plan("org/folder", tmp_path, hub.address)
    assert set(planned.files) == {
        "model_index.json", "unet/config.json", "tokenizer/merges.txt", "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
    }  # fmt: skip
    assert planned.bytes == sum(len(FOLDER[name]) for name in planned.files)
    assert list(tmp_path.iterdir()) == [], "planning fetches nothing"
    seen: list[int] = []
    assert planned.fetch(seen.append) == tmp_path / "folder"
    there = {str(path.relative_to(tmp_path / "folder")) for path in (tmp_path / "folder").rglob("*") if path.is_file()}
    assert there == set(planned.files)
    assert seen[-1] == planned.bytes


@pytest.mark.parametrize("source", ["org/one", "org/one/ink.safetensors", "{}/org/one/resolve/main/ink.safetensors"])
def test_a_single_file_is_fetched_under_its_own_name(hub, tmp_path, source):
    planned = plan(source.format(hub.address), tmp_path, hub.address)
    assert planned.fetch() == tmp_path / "ink.safetensors"
    assert [path.name for path in tmp_path.iterdir()] == ["ink.safetensors"]


def test_an_address_is_gone_on_with_where_it_stopped(hub, tmp_path):
    planned = plan(f"{hub.address}/files/line%20art.safetensors", tmp_path)
    whole = PLAIN["/files/line art.safetensors"]
    assert planned.files == {"line art.safetensors": len(whole)}
    hub.cut = 150_000
    with pytest.raises(ModelError, match=r"did not arrive .*the same command goes on where it stopped"):
        planned.fetch()
    part = tmp_path / "line art.safetensors.part"
    have = part.stat().st_size
    assert 0 < have <= 150_000
    path = planned.fetch()
    assert hub.asked[-1][2] == f"bytes={have}-"
    assert path.read_bytes() == whole
    assert not part.exists()


@pytest.mark.parametrize(
    "source, sentence",
    [
        ("org/nothing", "can't be asked for"),
        ("org/two", "several files, or none: name one as ORG/NAME/FILE. There: a.safetensors, b.safetensors"),
        ("org/pickle", "There: none"),
        ("org/pickle/m.ckpt", "can carry code"),
        ("org/two/c.safetensors", "has no file c.safetensors"),
        ("only-a-name", "neither a hub id"),
        ("../../etc/passwd", "neither a hub id"),
        ("http://example.invalid/a.safetensors", "begin with https"),
        ("https://example.invalid/a.ckpt", "can carry code"),
    ],
)
def test_what_cannot_be_fetched_is_said_before_anything_is(hub, tmp_path, source, sentence):
    with pytest.raises(ModelError) as caught:
        plan(source, tmp_path, hub.address)
    assert sentence in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_this_machine_is_not_asked_for(tmp_path):
    (tmp_path / "ink.safetensors").write_bytes(weights())
    with pytest.raises(ModelError, match=r"ink\.safetensors is on this machine already: .*models add"):
        plan(str(tmp_path / "ink.safetensors"), tmp_path)


def test_a_hub_that_does_not_answer_is_said(tmp_path):
    with socket.socket() as nobody:  # bound and not listening: every connection is refused
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(ModelError, match=r"acme/fish can't be asked for .*check the name and the connection"):
            plan("acme/fish", tmp_path, endpoint=endpoint)


def test_what_is_no_safetensors_file_is_not_kept(hub, tmp_path):
    with pytest.raises(ModelError, match="no sound safetensors file"):
        plan(f"{hub.address}/files/no.safetensors", tmp_path).fetch()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_first(hub, tmp_path, monkeypatch):
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 0))
    with pytest.raises(ModelError, match=r"needs 0\.0 GB; the disk has 0\.0 GB free"):
        plan("org/one", Path(tmp_path), hub.address).fetch()
