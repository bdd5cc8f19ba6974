"""Attacks on the real server: each was done to a studio of this kind, and here each must end at the guard."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.webui.people import PAPER, ask, paper_settings, wait_for
from toolkit.engine.sketch import SketchEngine
from toolkit.jobs import OWNER
from toolkit.studio import Studio
from webui.guard import MAX_BODY, Guard
from webui.server import App, Server, build_app, serving
from webui.visitors import KEY_FILE, Keys

Person = Callable[[], httpx.Client]


POSTS = ("/limner/jobs", "/limner/words", "/limner/read-settings", "/gradio_api/queue/join", "/gradio_api/upload")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    settings = paper_settings(tmp_path_factory.mktemp("guard"))
    with Studio(settings=settings, engine=SketchEngine(step_seconds=0.01)) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(studio: Studio) -> App:
    return build_app(studio)


@pytest.fixture(scope="module")
def server(app: App) -> Iterator[Server]:
    with serving(app) as running:
        yield running


def raw(server: Server, text: str) -> str:
    """Send bytes that no client library would send, and return the answer's first line."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(text.replace("\n", "\r\n").encode())
        return connection.recv(4096).decode("latin-1").split("\r\n")[0]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "evil.example:7860",
        "0.0.0.0",
        "",
        "[::2]",
    ],
)
def test_another_name_for_this_machine_is_refused(server: Server, host: str):
    for path in ("/", "/config", "/limner/state", "/limner/events", "/gradio_api/info"):
        answer = httpx.get(server.url + path, headers={"host": host})
        assert answer.status_code == 421, path
        assert "set-cookie" not in answer.headers and len(answer.content) < 200


def test_this_machine_s_own_names_are_answered(server: Server):
    for host in (f"localhost:{server.port}", f"127.0.0.1:{server.port}", f"[::1]:{server.port}", "LOCALHOST"):
        assert httpx.get(server.url + "/", headers={"host": host}).status_code == 200


def test_a_request_with_no_host_or_two_is_refused(server: Server):
    assert " 4" in raw(server, "GET / HTTP/1.1\n\n")
    assert " 4" in raw(server, f"GET /limner/state HTTP/1.1\nHost: 127.0.0.1:{server.port}\nHost: evil.example\n\n")
    assert " 421 " in raw(server, "GET / HTTP/1.0\n\n")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "https://{host}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example", "content-type": "text/plain"},
        {"origin": "https://evil.example", "content-type": "multipart/form-data; boundary=x"},
        {"origin": "https://evil.example", "content-type": "application/x-www-form-urlencoded"},
    ],
)
def test_another_site_can_change_nothing(server: Server, studio: Studio, path: str, headers: dict[str, str]):
    sent = {name: value.format(host=server.url.split("//")[1]) for name, value in headers.items()}
    body = b'{"request": {"prompt": "a cat", "model": "%s"}}' % PAPER.encode()
    assert httpx.post(server.url + path, content=body, headers=sent).status_code == 403
    assert studio.queue.pending_total() == 0


def test_another_site_can_read_nothing(server: Server, person: Person):
    client = person()
    for path in ("/limner/state", "/limner/pictures", "/config", "/"):
        refused = client.get(path, headers={"origin": "https://evil.example"})
        assert refused.status_code == 403 and "access-control-allow-origin" not in refused.headers
        embedded = client.get(path, headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})
        assert embedded.status_code == 403
    link = client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert link.status_code == 200
    preflight = client.options(
        "/limner/jobs", headers={"origin": "https://evil.example", "access-control-request-method": "POST"}
    )
    assert preflight.status_code == 403 and not any(name.startswith("access-control") for name in preflight.headers)


def test_the_page_s_own_origin_is_let_in(server: Server, person: Person):
    client = person()
    headers = {"origin": server.url, "sec-fetch-site": "same-origin"}
    answer = client.post("/limner/words", json={"prompt": "a cat", "model": PAPER}, headers=headers)
    assert answer.status_code == 200
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize(
    "target",
    [
        "https://example.com/",
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest/meta-data",
        "HTTPS://example.com",
        "https%3A//example.com/",
        "%20https://example.com",
        "//example.com/share/x",
        "\\\\example.com\\share",
        "ftp://example.com/x",
        "file:///etc/passwd",
    ],
)
def test_gradio_fetches_nothing_for_anybody(server: Server, target: str):
    assert httpx.get(f"{server.url}/gradio_api/file={target}").status_code == 404


def test_files_of_this_machine_stay_here(server: Server, studio: Studio):
    data = studio.settings.data
    secret = data / "gradio" / ".." / KEY_FILE
    for path in ("/etc/passwd", str(data / KEY_FILE), str(data / "limner.db"), str(secret), "../" * 12 + "etc/passwd",
                 "%2e%2e/%2e%2e/etc/passwd", __file__, "pyproject.toml", "toolkit/request.py"):  # fmt: skip
        answer = httpx.get(f"{server.url}/gradio_api/file={path}")
        assert answer.status_code in (403, 404), path
        assert b"root:" not in answer.content and b"owner_token" not in answer.content


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/gradio_api/openapi.json"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/run-history/records"),
        ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"),
        ("GET", "/gradio_api/profiling/traces"),
        ("GET", "/gradio_api/vibe-code/"),
        ("POST", "/gradio_api/vibe-edit/"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/cancel"),
        ("POST", "/gradio_api/upload"),
        ("GET", "/gradio_api/upload_progress?upload_id=x"),
        ("GET", "/gradio_api/deep_link?session_hash=x"),
        ("GET", "/?deep_link=x"),
        ("GET", "/config?deep_link=x"),
        ("GET", "/gradio_api/proxy=https://x.hf.space/"),
        ("GET", "/gradio_api/stream/x/1/2/playlist.m3u8"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/gradio_api/token"),
        ("GET", "/gradio_api/mcp/"),
        ("POST", "/login"),
        ("GET", "/logout"),
        ("PUT", "/"),
        ("TRACE", "/"),
        ("DELETE", "/gradio_api/queue/join"),
    ],
)
def test_closed_routes(server: Server, method: str, path: str):
    answer = httpx.request(method, server.url + path)
    assert (answer.status_code, answer.text) == (404, "There is nothing here.")


def test_every_answer_forbids_guessing_its_kind(server: Server, person: Person):
    client = person()
    for path in (
        "/",
        "/theme.css",
        "/limner/state",
        "/limner/pictures/none.png",
        "/nowhere",
        "/gradio_api/file=/tmp/x",
    ):
        answer = client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["cross-origin-resource-policy"] == "same-origin", path
    assert client.get("/gradio_api/file=/tmp/x.html").headers["content-security-policy"].startswith("sandbox;")
    page = client.get("/").headers["content-security-policy"]
    assert "frame-ancestors 'self'" in page and "connect-src 'self'" in page


def test_forwarded_headers_are_not_believed(server: Server):
    headers = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "x-forwarded-for": "6.6.6.6",
        "forwarded": "host=evil.example",
        "x-direct-url": "https://evil.example",
    }
    for path in ("/", "/config", "/gradio_api/info"):
        answer = httpx.get(server.url + path, headers=headers)
        assert answer.status_code == 200 and "evil.example" not in answer.text
        assert "evil.example" not in httpx.get(server.url + path).text
    assert f'"root":"{server.url}"' in httpx.get(server.url + "/config", headers=headers).text


def test_a_body_that_is_too_large_is_refused(server: Server, studio: Studio, person: Person):
    client = person()
    large = b'{"request": {"prompt": "' + b"x" * MAX_BODY + b'"}}'
    assert client.post("/limner/jobs", content=large).status_code == 413
    assert client.post("/gradio_api/queue/join", content=large).status_code == 413
    assert client.post("/limner/read-settings", content=b"x" * (21 << 20)).status_code == 413
    assert studio.queue.pending_total() == 0


@pytest.mark.parametrize("path", ["/limner/jobs", "/limner/words", "/gradio_api/queue/join", "/gradio_api/run/x"])
def test_a_body_in_chunks_is_counted(server: Server, person: Person, path: str):
    client = person()
    answer = client.post(path, content=(b" " * 65536 for _ in range(MAX_BODY // 65536 + 2)))
    assert answer.status_code == 413 and "1 MB" in answer.text
    assert client.get("/limner/state").status_code == 200


def test_the_start_link_makes_the_owner(server: Server):
    with httpx.Client(base_url=server.url) as client:
        first = client.get(server.start_link)
        assert first.status_code == 303 and first.headers["location"] == "/"
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
        assert client.get("/limner/state").json()["role"] == "owner"


@pytest.mark.parametrize("token", ["", "wrong", "é", "%00", "a" * 5000])
def test_a_wrong_start_link_makes_nobody_anything(server: Server, token: str):
    with httpx.Client(base_url=server.url) as client:
        answer = client.get(f"/?t={token}")
        assert answer.status_code == 403 and "set-cookie" not in answer.headers
        assert client.get("/limner/state").json()["role"] == "visitor"


def test_a_ticket_opens_the_page_once(server: Server, app: App):
    ticket = app.guard.ticket()
    assert httpx.get(f"{server.url}/?t={ticket}").status_code == 303
    assert httpx.get(f"{server.url}/?t={ticket}").status_code == 403


def test_without_a_cookie_everybody_is_a_new_visitor(server: Server, app: App):
    seen = set()
    for _ in range(3):
        answer = httpx.get(server.url + "/limner/state")
        assert answer.json()["role"] == "visitor"
        assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=Lax" in answer.headers["set-cookie"]
        seen.add(answer.cookies[app.keys.cookie])
    assert len(seen) == 3 and all(len(value.split(".")[0]) >= 22 for value in seen)


def test_cookies_can_t_be_made_up(server: Server, app: App, person: Person):
    theirs = person().cookies[app.keys.cookie]
    body, signature = theirs.rsplit(".", 1)
    forged = ["owner", "owner.", f"owner.{signature}", f".{signature}", f"{body}.{signature[:-1]}",
              f"{body}x.{signature}", f"owner.{app.keys.owner_token}", "a.b.c", "é.é"]  # fmt: skip
    for value in forged:
        cookie = f"{app.keys.cookie}={value}".encode()
        answer = httpx.get(server.url + "/limner/state", headers={b"cookie": cookie})
        assert answer.json()["role"] == "visitor", value
        assert app.keys.cookie in answer.cookies, value
    other = Keys.fresh()
    cookie = {"cookie": f"{app.keys.cookie}={other.seal(OWNER.id)}; {other.cookie}={other.seal(OWNER.id)}"}
    assert httpx.get(server.url + "/limner/state", headers=cookie).json()["role"] == "visitor"


def test_keys_outlive_a_restart_and_are_private(tmp_path):
    first = Keys.load(tmp_path)
    assert Keys.load(tmp_path) == first
    assert first.open(first.seal("somebody")) == ("somebody", "visitor")
    assert first.open(first.seal(OWNER.id)) == OWNER
    if os.name == "posix":
        assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
        (tmp_path / KEY_FILE).chmod(0o644)
        Keys.load(tmp_path)
        assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"[]", b'{"instance": "a", "secret": "YQ==", "owner_token": "x"}', b"\xff"]
)
def test_a_damaged_key_file_is_replaced(tmp_path, damage: bytes):
    (tmp_path / KEY_FILE).write_bytes(damage)
    keys = Keys.load(tmp_path)
    assert len(keys.secret) == 32 and Keys.load(tmp_path) == keys


def test_a_session_of_gradio_is_its_first_user_s(server: Server, person: Person):
    one, other = person(), person()
    path = "/gradio_api/heartbeat/abcdefgh123"
    with one.stream("GET", path) as mine:
        assert mine.status_code == 200
        with other.stream("GET", path) as theirs:
            assert theirs.status_code == 404
        with other.stream("GET", "/gradio_api/queue/data?session_hash=abcdefgh123") as theirs:
            assert theirs.status_code == 404
        with httpx.stream("GET", server.url + path) as nobodys:
            assert nobodys.status_code == 404


def test_web_sockets_are_not_spoken(server: Server):
    upgrade = (
        f"GET /limner/events HTTP/1.1\nHost: 127.0.0.1:{server.port}\nUpgrade: websocket\nConnection: Upgrade\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\nOrigin: https://evil.example\n\n"
    )
    assert " 101 " not in raw(server, upgrade)


def test_an_app_without_a_guard_takes_nobody_for_anybody(app: App):
    inside = httpx.ASGITransport(app.guard.app, raise_app_exceptions=False)

    async def fetch() -> httpx.Response:
        async with httpx.AsyncClient(transport=inside, base_url="http://127.0.0.1") as client:
            return await client.get("/limner/state")

    assert isinstance(app.guard, Guard)
    with ThreadPoolExecutor(1) as thread:  # this one may hold the event loop of a browser
        assert thread.submit(asyncio.run, fetch()).result().status_code == 500


def test_ordinary_use_passes(server: Server, person: Person):
    client = person()
    finished = wait_for(client, ask(client, "a red cat"))
    assert client.get(finished["images"][0]["url"]).headers["content-type"] == "image/png"
