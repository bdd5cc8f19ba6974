"""Stands in front of everything: decides by Host, Origin, path and size whether a request goes on, and as whom.

Only what is named here is open. Gradio has many more routes (an open proxy, saved sessions, monitoring, recordings,
uploads); a new version may add others, and those stay closed until somebody names them here.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from toolkit.jobs import OWNER, Who
from webui.visitors import Keys, new_visitor

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD"})
KIB, MIB = 1024, 1024 * 1024
MAX_BODY = MIB
MAX_PICTURE_BODY = 20 * MIB
# What the owner may begin a picture with; a visitor's is held to the size of every other picture.
MAX_INPUT_BODY = 100 * MIB
MAX_DRAIN = 2 * MAX_PICTURE_BODY
DRAIN_SECONDS = 10
COOKIE_SECONDS = 365 * 86400
MAX_SESSIONS = 4096

# What Gradio's page asks for in ordinary use, seen in a browser, and nothing else.
OPEN_TO_READ = re.compile(
    r"/|/config/?|/theme\.css|/robots\.txt|/favicon\.ico|/manifest\.json|/(assets|static|svelte)/.*"
    r"|/gradio_api/(info|theme\.css|startup-events|queue/data|app_id|heartbeat/[^/]+|login_check)/?"
    r"|/gradio_api/custom_component/.*|/gradio_api/file=.*"
)
OPEN_TO_WRITE = re.compile(r"/gradio_api/(queue/join|reset|component_server|run/[^/]+|api/[^/]+|call/[^/]+)/?")
OURS = re.compile(r"/limner/.*")
FOREIGN_FILE = re.compile(r"/gradio_api/file=\s*([a-z][a-z0-9+.-]*:|[/\\]{2})", re.IGNORECASE)
NOT_FOR_US = re.compile(rb"x-forwarded-.*|forwarded|x-real-ip|x-direct-url|x-original-.*|x-gradio-.*|x-ip-token")
PICTURE_UPLOADS = frozenset({"/limner/read-settings", "/limner/inputs"})

ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
# Gradio's front end makes functions from text, so scripts can't be held tighter; but no page of ours reaches out,
# and none is framed by a stranger.
PAGE_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    b" img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:;"
    b" worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
FILE_POLICY = b"sandbox; default-src 'none'; style-src 'unsafe-inline'"


class Refused(Exception):
    """A request that doesn't go on; `status` and the sentence are the whole answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Guard:
    """ASGI middleware; puts `scope["state"]["who"]` on every request that goes on."""

    def __init__(self, app: App, keys: Keys, hosts: Iterable[str] = LOOPBACK) -> None:
        self.app = app
        self.keys = keys
        self.hosts = frozenset(hosts)
        self._sessions: OrderedDict[str, str] = OrderedDict()
        self._tickets: set[str] = set()

    def ticket(self) -> str:
        """A start link's token that works once: what is handed to a browser can be read in the list of processes."""
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        return ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            self._check_address(scope, headers)
            token = _query(scope).get("t") if scope["path"] == "/" else None
            if token is not None and scope["method"] in SAFE_METHODS:
                await _decorated(self._start(token[0]), scope, receive, send)
                return
            self._check_path(scope)
            who = self._who(headers)
            self._check_session(scope, who or new_visitor())
            limit = _limit(scope["path"], who)
            if int(headers.get("content-length") or 0) > limit:
                raise Refused(413, _too_large(limit))
        except Refused as refused:
            if refused.status == 413:
                await _drain(receive)
            response = PlainTextResponse(str(refused), refused.status, headers={"connection": "close"})
            await _decorated(response, scope, receive, send)
            return
        except ValueError:
            await _decorated(PlainTextResponse("That is no request.", 400), scope, receive, send)
            return
        cookie = None
        if who is None:
            who = new_visitor()
            cookie = self._cookie(who.id)
        scope.setdefault("state", {})["who"] = who
        scope["headers"] = [pair for pair in scope["headers"] if not NOT_FOR_US.fullmatch(pair[0].lower())]
        await _limited(self.app, scope, receive, _outgoing(scope, send, cookie), limit)

    def _check_address(self, scope: Scope, headers: Headers) -> None:
        """A name that isn't this machine's means DNS rebinding; another Origin means another site's page."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            raise Refused(421, "The request must name one host.")
        host = headers["host"].lower()
        if re.sub(r":\d+$", "", host) not in self.hosts:
            raise Refused(421, "This studio doesn't answer under that name. Open it by the link it printed.")
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{scope.get('scheme', 'http')}://{host}":
            raise Refused(403, "That request came from another site.")
        site = headers.get("sec-fetch-site", "same-origin")
        if scope["method"] not in SAFE_METHODS and site not in ("same-origin", "none"):
            raise Refused(403, "That request came from another site.")
        if site in ("cross-site", "same-site") and headers.get("sec-fetch-mode") not in (None, "navigate"):
            raise Refused(403, "That request came from another site.")

    def _check_path(self, scope: Scope) -> None:
        path, method = scope["path"], scope["method"]
        wanted = OPEN_TO_READ if method in SAFE_METHODS else OPEN_TO_WRITE
        is_open = OURS.fullmatch(path) or (wanted.fullmatch(path) and method in (*SAFE_METHODS, "POST"))
        if not is_open or FOREIGN_FILE.match(path) or "deep_link" in _query(scope):
            raise Refused(404, "There is nothing here.")

    def _check_session(self, scope: Scope, who: Any) -> None:
        """Gradio hands a session's answers to whoever knows its name; here it is the first to use it, nobody else."""
        found = re.fullmatch(r"/gradio_api/heartbeat/([^/]+)/?", scope["path"])
        session = found[1] if found else None
        if scope["path"].rstrip("/") == "/gradio_api/queue/data":
            session = _query(scope).get("session_hash", [None])[0]
        if session is None:
            return
        if self._sessions.setdefault(session, who.id) != who.id:
            raise Refused(404, "There is nothing here.")
        self._sessions.move_to_end(session)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)

    def _who(self, headers: Headers) -> Any:
        value = cookie_parser(headers.get("cookie", "")).get(self.keys.cookie)
        return self.keys.open(value) if value else None

    def _start(self, token: str) -> Response:
        if token in self._tickets:
            self._tickets.discard(token)
        elif not self.keys.is_owner_token(token):
            return PlainTextResponse(
                "This start link isn't valid. Use the one that the studio printed when it started.", 403
            )
        response = RedirectResponse("/", 303)
        response.headers.append("set-cookie", self._cookie(OWNER.id).decode())
        response.headers["cache-control"] = "no-store"
        return response

    def _cookie(self, who_id: str) -> bytes:
        value = self.keys.seal(who_id)
        return f"{self.keys.cookie}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={COOKIE_SECONDS}".encode()


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)


def _limit(path: str, who: Who | None) -> int:
    """The bytes that a body may have."""
    if path == "/limner/inputs" and who == OWNER:
        return MAX_INPUT_BODY
    return MAX_PICTURE_BODY if path in PICTURE_UPLOADS else MAX_BODY


def _too_large(limit: int) -> str:
    return f"That is larger than the {limit // MIB} MB that the studio takes here."


async def _decorated(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    await response(scope, receive, _outgoing(scope, send, None))


def _outgoing(scope: Scope, send: Send, cookie: bytes | None) -> Send:
    """Add our headers to what goes out, and take away Gradio's permissions for other sites."""
    path = scope["path"]

    async def outgoing(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = list(ALWAYS)
            if path.startswith("/gradio_api/file"):
                ours.append((b"content-security-policy", FILE_POLICY))
            elif path == "/":
                ours += [(b"content-security-policy", PAGE_POLICY), (b"cache-control", b"no-store")]
            if cookie is not None and (path == "/" or path.startswith("/limner/")):
                ours.append((b"set-cookie", cookie))
            names = {name for name, _ in ours if name != b"set-cookie"}
            kept = [
                pair
                for pair in message.get("headers", [])
                if pair[0].lower() not in names and not pair[0].lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": [*kept, *ours]}
        await send(message)

    return outgoing


async def _drain(receive: Receive) -> None:
    """Read on for a while and forget it: a browser reads no answer before it has sent its body."""
    taken = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while taken <= MAX_DRAIN:
                message = await receive()
                taken += len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _limited(app: App, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    """Run the app, but end a body that grows past `limit` (one sent in chunks has no length to look at before)."""
    taken, over, started, more = 0, False, False, True

    async def counted() -> Message:
        nonlocal taken, over, more
        message = await receive()
        more = message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > limit:
            over = True
            return {"type": "http.disconnect"}
        return message

    async def held(message: Message) -> None:
        nonlocal started
        if over and not started:
            return
        started = True
        await send(message)

    try:
        await app(scope, counted, held)
    except Exception:  # the app may fail in any way once its body was cut short; then the answer is ours
        if not over:
            raise
    if over and not started:
        if more:
            await _drain(receive)
        await PlainTextResponse(_too_large(limit), 413, headers={"connection": "close"})(scope, receive, send)
