"""Who is asking: a random id in a signed cookie, and the owner by the token of the start link, never by an address."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import StorageError
from toolkit.jobs import OWNER, Who

KEY_FILE = "server-key.json"


@dataclass(frozen=True, slots=True)
class Keys:
    """What cookies are signed with; kept in the data folder, so that a restart keeps open tabs and their people.

    `instance` goes into the cookie's name, because browsers send a cookie to every port of a host.
    """

    instance: str
    secret: bytes
    owner_token: str

    @property
    def cookie(self) -> str:
        return f"limner-{self.instance}"

    @classmethod
    def fresh(cls) -> Keys:
        return cls(secrets.token_hex(4), secrets.token_bytes(32), secrets.token_urlsafe(24))

    @classmethod
    def load(cls, data: Path) -> Keys:
        """Read the keys of a data folder, or make them; the file is for its owner's eyes only (0600)."""
        path = data / KEY_FILE
        try:
            plain = json.loads(path.read_text("utf-8"))
            keys = cls(plain["instance"], base64.b64decode(plain["secret"]), plain["owner_token"])
            if len(keys.secret) >= 32 and len(keys.owner_token) >= 22 and keys.instance.isalnum():
                path.chmod(0o600)
                return keys
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # absent or damaged: new keys only mean that people open the start link once more
        return _write(path, cls.fresh())

    def seal(self, who_id: str) -> str:
        """The cookie's value for a person."""
        return f"{who_id}.{self._signature(who_id)}"

    def open(self, value: str) -> Who | None:
        """The person of a cookie's value; None when it isn't one of ours."""
        who_id, _, signature = value.rpartition(".")
        if not who_id or not hmac.compare_digest(signature.encode(), self._signature(who_id).encode()):
            return None
        return OWNER if who_id == OWNER.id else Who(who_id, "visitor")

    def is_owner_token(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.owner_token.encode())

    def _signature(self, who_id: str) -> str:
        digest = hmac.new(self.secret, who_id.encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def new_visitor() -> Who:
    """Somebody who hasn't been here before; the id has 128 random bits."""
    return Who(secrets.token_urlsafe(16), "visitor")


def who_of(request: Any) -> Who:
    """The person behind a request, either Starlette's or the one that Gradio hands to its functions.

    Raises LookupError when no guard stands in front of the app: nobody is taken for anybody then.
    """
    inner = getattr(request, "request", None) or request
    who = inner.scope.get("state", {}).get("who")
    if not isinstance(who, Who):
        raise LookupError("This request came past the guard, so it is not known whose it is.")
    return who


def _write(path: Path, keys: Keys) -> Keys:
    plain = {
        "instance": keys.instance,
        "secret": base64.b64encode(keys.secret).decode(),
        "owner_token": keys.owner_token,
    }
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(plain, file)
        os.replace(part, path)
    except OSError as error:
        raise StorageError(f"The studio can't write its key to {path}: {error.strerror or error}.") from error
    return keys
