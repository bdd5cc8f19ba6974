"""Waiting and running jobs in SQLite, so that they outlive a restart, handed out fairly between people."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.database import Database
from toolkit.errors import RequestError
from toolkit.jobs import JobState, Who
from toolkit.request import GenerationRequest
from toolkit.turns import order_of_turns

KEPT_SECONDS = 30 * 24 * 3600.0
_FINAL = "('finished', 'failed', 'cancelled')"

# Jobs that came back from a dead engine run first; then the person least recently served, in the order of their jobs.
# `served` is the number of the person's last turn, 0 for somebody who has had none.
_NEXT = """
    SELECT jobs.* FROM jobs LEFT JOIN people ON people.id = jobs.who
    WHERE state = 'queued' AND session = ? {short}
    ORDER BY returned > 0 DESC, CASE WHEN returned > 0 THEN 0 ELSE coalesce(served, 0) END, jobs.seq LIMIT 1
"""
# A job that came back from a dead engine has to be alone, however short it is.
_SHORT = """AND returned = 0
    AND coalesce(json_extract(request, '$.sampling.steps'), 1000) * coalesce(json_extract(request, '$.count'), 1) <= ?
"""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job's row; times are seconds since the epoch. `alone` keeps it out of any company in the engine."""

    id: str
    request: GenerationRequest
    who: Who
    exact: bool
    state: JobState
    created: float
    started: float | None
    ended: float | None
    error: str | None
    alone: bool
    seconds: Mapping[str, float]


class JobQueue:
    """The queue of one studio. Studios that share a database each run their own jobs; see `recover`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session = database.session.id

    def add(self, job_id: str, request: GenerationRequest, who: Who, exact: bool) -> None:
        values = (job_id, who.id, who.role, json.dumps(request.to_dict()), exact, time.time(), self._session)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO jobs (id, who, role, request, exact, state, created, session)"
                " VALUES (?, ?, ?, ?, ?, 'queued', ?, ?)",
                values,
            )

    def take(self, most_steps: int | None = None) -> QueuedJob | None:
        """The job whose turn it is, marked as running; None when nothing waits.

        With `most_steps`, the first job in that order whose pictures take no more denoising steps together.

        The person least recently served comes first, whoever has not been served at all before everybody; within one
        person the oldest job. The owner is a person like any other.
        """
        with self._database.transaction() as connection:
            short, values = ("", ()) if most_steps is None else (_SHORT, (most_steps,))
            row = connection.execute(_NEXT.format(short=short), (self._session, *values)).fetchone()
            if row is None:
                return None
            now = time.time()
            connection.execute("UPDATE jobs SET state = 'running', started = ? WHERE seq = ?", (now, row["seq"]))
            if not row["returned"]:
                connection.execute(
                    "INSERT INTO people VALUES (?, (SELECT coalesce(max(served), 0) + 1 FROM people))"
                    " ON CONFLICT (id) DO UPDATE SET served = excluded.served",
                    (row["who"],),
                )
            return _job(connection.execute("SELECT * FROM jobs WHERE seq = ?", (row["seq"],)).fetchone())

    def next_is_alone(self) -> bool:
        """Whether the job that `take` would give now has to run alone."""
        rows = self._database.rows(_NEXT.format(short=""), (self._session,))
        return bool(rows and rows[0]["alone"])

    def put_back(self, job_id: str, alone: bool) -> int:
        """Make a running job the next one again, without costing the person a turn; returns how often that happened."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'queued', started = NULL, alone = ?, returned = returned + 1"
                " WHERE id = ? AND state = 'running'",
                (alone, job_id),
            )
            row = connection.execute("SELECT returned FROM jobs WHERE id = ?", (job_id,)).fetchone()
            return row["returned"] if row else 0

    def finish(
        self, job_id: str, state: JobState, error: str | None = None, seconds: Mapping[str, float] | None = None
    ) -> None:
        """Record how a job ended; the first such word stands, but an interrupted job may still end otherwise."""
        if not state.ended:
            raise ValueError(f"A job can't end as “{state.value}”.")
        with self._database.transaction() as connection:
            connection.execute(
                f"UPDATE jobs SET state = ?, error = ?, seconds = ?, ended = ? WHERE id = ? AND state NOT IN {_FINAL}",
                (state.value, error, json.dumps(dict(seconds or {})), time.time(), job_id),
            )

    def cancel(self, job_id: str) -> bool:
        """Take a waiting job out; False for one that runs, has ended or isn't there."""
        with self._database.transaction() as connection:
            done = connection.execute(
                "UPDATE jobs SET state = 'cancelled', ended = ? WHERE id = ? AND state = 'queued'",
                (time.time(), job_id),
            )
            return done.rowcount == 1

    def place(self, job_id: str) -> int:
        """How many jobs run before this one, those that run now included; 0 for a job that doesn't wait."""
        waiting = self._order()
        return self._running() + waiting.index(job_id) if job_id in waiting else 0

    def _running(self) -> int:
        count = "SELECT count(*) FROM jobs WHERE state = 'running' AND session = ?"
        return self._database.rows(count, (self._session,))[0][0]

    def _order(self) -> list[str]:
        """The ids of the waiting jobs in the order in which `take` gives them when nothing else comes."""
        rows = self._database.rows(
            "SELECT jobs.id, jobs.who, returned, coalesce(served, 0) AS served, jobs.seq FROM jobs"
            " LEFT JOIN people ON people.id = jobs.who WHERE state = 'queued' AND session = ? ORDER BY jobs.seq",
            (self._session,),
        )
        served = self._database.rows("SELECT coalesce(max(served), 0) FROM people")[0][0]
        return order_of_turns(rows, served)

    def pending(self, who: Who) -> int:
        """How many of the person's jobs wait or run."""
        count = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running') AND session = ? AND who = ?"
        return self._database.rows(count, (self._session, who.id))[0][0]

    def pending_total(self) -> int:
        """How many jobs wait or run, whoever's they are."""
        count = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running') AND session = ?"
        return self._database.rows(count, (self._session,))[0][0]

    def listing(self, who: Who, since: float) -> list[QueuedJob]:
        """The person's jobs that wait, run or were interrupted, and those that ended after `since`; oldest first."""
        rows = self._database.rows(
            "SELECT * FROM jobs WHERE who = ? AND (state IN ('queued', 'running', 'interrupted') OR ended >= ?)"
            " ORDER BY seq",
            (who.id, since),
        )
        return [_job(row) for row in rows]

    def get(self, job_id: str) -> QueuedJob | None:
        rows = self._database.rows("SELECT * FROM jobs WHERE id = ?", (job_id,))
        return _job(rows[0]) if rows else None

    def recover(self) -> int:
        """Take over from studios that are no more: what they ran is interrupted, what waited there waits here.

        Called once, before the first `take`. Jobs of a studio that is still alive in another process stay its own.
        Forgets what ended a month ago. Returns how many jobs were interrupted.
        """
        alive = sorted(self._database.session.others())
        orphaned = f"session NOT IN ({', '.join('?' * len(alive))})"
        now = time.time()
        with self._database.transaction() as connection:
            lost = connection.execute(
                "UPDATE jobs SET state = 'interrupted', ended = ?, error = ?"
                f" WHERE state = 'running' AND {orphaned}",
                (now, "The studio stopped while this was being drawn.", *alive),
            )
            connection.execute(
                f"UPDATE jobs SET session = ? WHERE state = 'queued' AND {orphaned}", (self._session, *alive)
            )
            connection.execute("DELETE FROM jobs WHERE ended < ?", (now - KEPT_SECONDS,))
            _fail_unreadable(connection, now)
            return lost.rowcount


def _fail_unreadable(connection: sqlite3.Connection, now: float) -> None:
    """Requests with settings of a newer Limner must not stand in the way of the others."""
    error = "Another version of Limner queued this job, and this one can't read it."
    for row in connection.execute("SELECT seq, request FROM jobs").fetchall():
        try:
            GenerationRequest.from_dict(json.loads(row["request"]))
        except (ValueError, RequestError):
            connection.execute(
                f"UPDATE jobs SET state = 'failed', ended = ?, error = ? WHERE seq = ? AND state NOT IN {_FINAL}",
                (now, error, row["seq"]),
            )
            connection.execute("UPDATE jobs SET request = '{}' WHERE seq = ?", (row["seq"],))


def _job(row: sqlite3.Row) -> QueuedJob:
    return QueuedJob(
        id=row["id"],
        request=GenerationRequest.from_dict(json.loads(row["request"])),
        who=Who(row["who"], row["role"]),
        exact=bool(row["exact"]),
        state=JobState(row["state"]),
        created=row["created"],
        started=row["started"],
        ended=row["ended"],
        error=row["error"],
        alone=bool(row["alone"]),
        seconds=json.loads(row["seconds"]),
    )
