"""The SQLite file: settings, migrations, damage, other processes, sentences."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from toolkit.database import MIGRATIONS, Database
from toolkit.errors import StorageError

ROOT = Path(__file__).resolve().parents[2]
ADD = "INSERT INTO people VALUES (?, 1)"


def test_opens_with_the_settings_that_survive_a_crash(data: Path) -> None:
    database = Database(data / "deep" / "limner.db")
    pragmas = {name: database.rows(f"PRAGMA {name}")[0][0] for name in
               ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "user_version")}  # fmt: skip
    assert pragmas == {
        "journal_mode": "wal", "synchronous": 1, "busy_timeout": 5000, "foreign_keys": 1,
        "user_version": len(MIGRATIONS),
    }  # fmt: skip
    assert database.damaged is None
    database.close()
    database.close()


def test_a_transaction_is_all_or_nothing(data: Path) -> None:
    database = Database(data / "limner.db")
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        connection.execute(ADD, ("anna",))
        raise ZeroDivisionError
    assert database.rows("SELECT * FROM people") == []
    with database.transaction() as connection:
        connection.execute(ADD, ("anna",))
    assert len(database.rows("SELECT * FROM people")) == 1
    database.close()


def test_many_threads_and_two_connections_write_at_once(data: Path) -> None:
    databases = [Database(data / "limner.db"), Database(data / "limner.db")]
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(20):
                with databases[number % 2].transaction() as connection:
                    connection.execute(ADD, (f"{number}-{turn}",))
        except StorageError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert databases[0].rows("SELECT count(*) FROM people")[0][0] == 160
    for database in databases:
        database.close()


def test_migrates_step_by_step_and_keeps_a_copy(data: Path) -> None:
    path = data / "limner.db"
    first = Database(path)
    with first.transaction() as connection:
        connection.execute(ADD, ("anna",))
    first.close()
    newer = (*MIGRATIONS, "ALTER TABLE people ADD COLUMN name TEXT; UPDATE people SET name = 'Anna'")
    second = Database(path, migrations=newer)
    assert [tuple(row) for row in second.rows("SELECT id, name FROM people")] == [("anna", "Anna")]
    second.close()
    copy = sqlite3.connect(data / f"limner.db.backup-{len(MIGRATIONS)}")
    assert copy.execute("SELECT * FROM people").fetchall() == [("anna", 1)]
    copy.close()
    with pytest.raises(StorageError, match="made by a newer Limner"):
        Database(path)


def test_a_migration_that_fails_changes_nothing(data: Path) -> None:
    path = data / "limner.db"
    Database(path).close()
    broken = "ALTER TABLE people ADD COLUMN name TEXT; SELECT nonsense FROM nowhere"
    with pytest.raises(StorageError):
        Database(path, migrations=(*MIGRATIONS, broken))
    database = Database(path)
    assert database.rows("PRAGMA user_version")[0][0] == len(MIGRATIONS)
    columns = [row["name"] for row in database.rows("SELECT name FROM pragma_table_info('people')")]
    assert columns == ["id", "served"]
    database.close()


@pytest.mark.parametrize("damage", ["page", "header", "text", "half"])
def test_a_damaged_file_is_put_aside_and_a_new_one_works(data: Path, damage: str) -> None:
    path = data / "limner.db"
    database = Database(path)
    with database.transaction() as connection:
        connection.executemany(ADD, [(f"person {number} " * 20,) for number in range(500)])
    database.close()
    content = bytearray(path.read_bytes())
    size = len(content)
    match damage:
        case "page":
            used = content.rindex(b"person 250 ") // 4096 * 4096
            content[used : used + 4096] = os.urandom(4096)
        case "header":
            content[:100] = os.urandom(100)
        case "text":
            content[:] = b"this is no database\n" * 100
        case "half":
            del content[size // 2 :]
    path.write_bytes(content)
    again = Database(path)
    assert again.damaged is not None and again.damaged.read_bytes() == content
    assert again.damaged.name.startswith("limner.db.damaged-")
    assert again.rows("SELECT count(*) FROM people")[0][0] == 0
    again.close()
    sound = Database(path)
    assert sound.damaged is None
    sound.close()


def test_a_folder_that_is_a_file_is_one_sentence(data: Path) -> None:
    (data / "taken").write_text("")
    with pytest.raises(StorageError, match=r"taken.* can't be used .*--data"):
        Database(data / "taken" / "limner.db")


def test_a_database_kept_busy_is_one_sentence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(data / "limner.db")
    database.rows("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(data / "limner.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="has been busy"), database.transaction():
        pytest.fail("somebody else is writing")
    other.rollback()
    other.close()
    with database.transaction() as connection:
        connection.execute(ADD, ("anna",))
    database.close()
    with pytest.raises(StorageError, match="can't be used"):
        database.rows("SELECT 1")


def test_a_full_disk_is_one_sentence(data: Path) -> None:
    database = Database(data / "limner.db")
    pages = database.rows("PRAGMA page_count")[0][0]
    database.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="is full; free some space"), database.transaction() as connection:
        connection.executemany(ADD, [(f"{number} " * 1000,) for number in range(100)])
    database.rows("PRAGMA max_page_count = 1000000")
    assert database.rows("SELECT count(*) FROM people")[0][0] == 0
    database.close()


HOLD = """
import sys, time
from toolkit.database import Database
database = Database(sys.argv[1])
print(database.session.id, flush=True)
sys.stdin.read()
"""


def test_sessions_see_each_other_and_the_end_of_a_killed_process(data: Path) -> None:
    path = data / "limner.db"
    database = Database(path)
    assert database.session.others() == set()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    session = other.stdout.readline().strip()
    assert database.session.others() == {session}
    third = Database(path)
    assert database.session.others() == {session, third.session.id}
    third.close()
    other.kill()
    other.communicate()
    assert database.session.others() == set()
    database.close()
    assert list((data / "limner.db-sessions").iterdir()) == []
