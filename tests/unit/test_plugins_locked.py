"""The bundled plugins are those whose hashes are in plugins.lock: a changed one wouldn't be loaded."""

from __future__ import annotations

from toolkit.plugins.lock import Lock, fingerprint
from toolkit.plugins.manifest import FILE
from toolkit.plugins.plugins import BUNDLED, FOLDER


def test_every_bundled_plugin_is_locked_as_it_is() -> None:
    lock = Lock(BUNDLED)
    bundled = [path.parent for path in FOLDER.glob(f"*/{FILE}") if path.parent.name in lock]
    assert len(bundled) > 5
    changed = [folder.name for folder in bundled if lock.hash(folder.name) != fingerprint(folder)]
    assert not changed, f"{', '.join(changed)} changed: run `launch.py plugins lock` after a look at the changes"
