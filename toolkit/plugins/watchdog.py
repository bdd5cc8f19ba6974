"""Tries a plugin that isn't known to be good in a process of its own, which can be ended: a thread can't."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from toolkit.plugins.lock import write_whole
from toolkit.plugins.states import Plugin

SECONDS = 5.0
# So many times as long a process is waited for that gets too little of a busy processor.
PATIENCE = 3
STARTING_SECONDS = 60.0
AT_ONCE = 4
FILE = "plugins-tried.json"
_ROOT = Path(__file__).resolve().parents[2]
_NEVER_BEGAN = "The process that tries it did not begin within {seconds:g} seconds; the next start tries it again."
_FOREVER = "It did not finish loading within {seconds:g} seconds: something in it loops or waits at import."


class Tried:
    """What trials found, by hash: a good plugin isn't tried again, nor one that loops; others may fare better."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        try:
            plain = json.loads(path.read_text("utf-8")) if path else {}
        except (OSError, ValueError):
            plain = {}
        self._found: dict[str, str] = plain if isinstance(plain, dict) else {}

    def get(self, sha256: str) -> str | None:
        """"" for good, a sentence for one that loops, None for one that has to be tried."""
        return self._found.get(self._key(sha256))

    def put(self, sha256: str, found: str) -> None:
        self._found[self._key(sha256)] = found
        if self._path is not None:
            write_whole(self._path, json.dumps(dict(list(self._found.items())[-200:]), indent=0))

    @staticmethod
    def _key(sha256: str) -> str:
        return f"{sha256} {sys.version_info[0]}.{sys.version_info[1]}"


def try_all(plugins: Iterable[Plugin], tried: Tried, seconds: float = SECONDS) -> None:
    """Try those that aren't known, some at once; the ones that don't stand the trial are marked failed.

    The time counts from when the process says that it turns to the plugin, so that a busy machine blames nobody.
    """
    waiting = []
    for plugin in plugins:
        known = tried.get(plugin.sha256)
        if known:
            plugin.fail(known)
        elif known is None and any((plugin.path / name).is_file() for name in ("__init__.py", "ui.py")):
            waiting.append(plugin)
    while waiting:
        batch, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        trials = [_Trial(plugin, seconds) for plugin in batch]
        for trial in trials:
            trial.wait(tried)


class _Trial:
    def __init__(self, plugin: Plugin, seconds: float) -> None:
        self._plugin, self._seconds, self._token = plugin, seconds, secrets.token_hex(8)
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)])}
        self._data = tempfile.TemporaryDirectory(prefix="limner-trial-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "toolkit.plugins.trial", str(plugin.path), plugin.module, self._token,
             self._data.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # readline must not take more than its line from communicate
            env=environ,
        )

        self._before = 0.0
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._wait_ready, daemon=True)
        self._reader.start()

    def _wait_ready(self) -> None:
        self._process.stdout.readline()
        self._before = self._cpu_seconds()
        self._until = time.monotonic() + self._seconds
        self._ready.set()

    def wait(self, tried: Tried) -> None:
        with self._data:
            self._wait(tried)

    def _wait(self, tried: Tried) -> None:
        if not self._began():
            self._end()
            self._plugin.fail(_NEVER_BEGAN.format(seconds=STARTING_SECONDS))
            return
        try:
            out, errors = self._said()
        except subprocess.TimeoutExpired:
            busy = self._cpu_seconds() - self._before
            self._end()
            self._plugin.fail(_FOREVER.format(seconds=self._seconds))
            if busy > self._seconds / 4:  # a real loop is known from now on; what only waited is tried again
                tried.put(self._plugin.sha256, self._plugin.reason)
            return
        text = errors.decode("utf-8", "replace").strip()
        if self._token.encode() in out:
            tried.put(self._plugin.sha256, "")
        elif text.startswith("{"):
            said = json.loads(text.splitlines()[0])
            self._plugin.fail(said["reason"], said["traceback"])
        else:
            last = text.splitlines()[-1] if text else f"exit status {self._process.returncode}"
            self._plugin.fail(f"It ended the process that tried it: {last[:300]}", text[-4000:])

    def _end(self) -> None:
        self._process.kill()
        with self._process:
            pass  # closes its pipes and waits

    def _began(self) -> bool:
        """Whether the process turned to the plugin; what it loads before, gradio say, gets more time as well."""
        until = time.monotonic() + STARTING_SECONDS
        last = until + STARTING_SECONDS * (PATIENCE - 1)
        while not self._ready.wait(max(0.01, until - time.monotonic())):
            if until >= last or not self._wants_processor():
                return False
            until += 1
        return True

    def _said(self) -> tuple[bytes, bytes]:
        """What the process said when it ended; raise TimeoutExpired when it doesn't in its time.

        On a busy machine it may have had little of a processor: while it only waits for one, it gets more time.
        """
        last = self._until + self._seconds * (PATIENCE - 1)
        while True:
            try:
                return self._process.communicate(timeout=max(0.01, self._until - time.monotonic()))
            except subprocess.TimeoutExpired:
                if self._process.poll() is not None:  # it ended, and only this process was late to look
                    return self._process.communicate(timeout=STARTING_SECONDS)
                starves = self._wants_processor() and self._cpu_seconds() - self._before < self._seconds * 0.8
                if self._until >= last or not starves:
                    raise
                self._until += 0.25

    def _wants_processor(self) -> bool:
        """Whether it would go on if it were let; a busy disk isn't the plugin's doing either."""
        import psutil

        try:
            return psutil.Process(self._process.pid).status() in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
        except psutil.Error:
            return False

    def _cpu_seconds(self) -> float:
        import psutil

        try:
            return sum(psutil.Process(self._process.pid).cpu_times()[:2])
        except psutil.Error:
            return 0.0
