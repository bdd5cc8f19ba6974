"""The gallery: no picture is lost, half-written, overwritten, or seen by somebody else."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from toolkit.database import Database
from toolkit.errors import StorageError
from toolkit.gallery import Gallery
from toolkit.geometry import Size
from toolkit.jobs import OWNER, GeneratedImage, Who
from toolkit.metadata import read_settings
from toolkit.queue import JobQueue
from toolkit.request import GenerationRequest, Sampling, Written

ROOT = Path(__file__).resolve().parents[2]
ANNA, BEN = Who("anna", "visitor"), Who("ben", "visitor")


def request_for(prompt: str, seed: int = 7, **more) -> GenerationRequest:
    return GenerationRequest(prompt, size=Size(32, 24), seed=seed, sampling=Sampling("ddim", "normal", 4, 3.5), **more)


class Place:
    """A data folder with its database and gallery, to be closed and opened again."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.open()

    def open(self) -> None:
        self.database = Database(self.data / "limner.db")
        self.gallery = Gallery(self.data / "pictures", self.database)

    def close(self) -> None:
        self.gallery.close()
        self.database.close()

    def again(self) -> Gallery:
        self.close()
        self.open()
        self.gallery.sweep()
        return self.gallery

    def save(
        self, prompt: str = "a cat", who: Who = OWNER, seed: int = 7, job_id: str = "job", **more
    ) -> GeneratedImage:
        image = Image.new("RGB", (32, 24), (seed % 256, 80, 160))
        request = request_for(prompt, seed, **more)
        return self.gallery.save(image, request, who=who, job_id=job_id, index=0, facts={"dtype": "float32"})

    def files(self) -> list[str]:
        folder = self.gallery.folder
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def place(data: Path):
    place = Place(data)
    place.gallery.sweep()
    yield place
    place.close()


def test_a_saved_picture_is_a_whole_file_and_a_row(place: Place) -> None:
    before = time.time()
    saved = place.save("a red fish", seed=42)
    assert saved.path.parent.parent == place.gallery.folder and saved.path.name == "00001-42.png"
    assert saved.path.parent.name == time.strftime("%Y-%m-%d", time.localtime(before))
    with Image.open(saved.path) as image:
        assert image.tobytes() == saved.image.tobytes()
    entry = place.gallery.get(saved.id, OWNER)
    assert (entry.id, entry.path, entry.request, entry.job_id) == (saved.id, saved.path, saved.request, "job")
    assert (entry.width, entry.height, entry.index, entry.deleted) == (32, 24, 0, False)
    assert before <= entry.created <= time.time()
    request, facts, notes = read_settings(saved.path)
    assert request == saved.request and facts["dtype"] == "float32" and notes == []
    assert [path.name for path in saved.path.parent.iterdir()] == ["00001-42.png"]


def test_numbers_go_on_and_nothing_is_overwritten(place: Place) -> None:
    names = [place.save(seed=1).path.name for _ in range(3)]
    assert names == ["00001-1.png", "00002-1.png", "00003-1.png"]
    folder = place.gallery.folder / place.save(seed=2).path.parent.name
    (folder / "00005-9.png").write_bytes(b"somebody's own")
    (folder / "00006.part").write_bytes(b"being written elsewhere")
    assert place.save(seed=9).path.name == "00007-9.png"
    assert (folder / "00005-9.png").read_bytes() == b"somebody's own"


def test_threads_save_side_by_side(place: Place) -> None:
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.extend(place.save(seed=3).path for _ in range(5))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in paths) == [f"{number:05}-3.png" for number in range(1, 31)]
    assert place.gallery.count(OWNER) == 30


SAVERS = """
import os, random, sys
from pathlib import Path
from PIL import Image
from toolkit.database import Database
from toolkit.gallery import Gallery
from toolkit.geometry import Size
from toolkit.jobs import OWNER
from toolkit.request import GenerationRequest

def save_on_and_on(data):
    gallery = Gallery(data / "pictures", Database(data / "limner.db"))
    image = Image.frombytes("RGB", (256, 256), random.randbytes(256 * 256 * 3))
    request = GenerationRequest("a cat", size=Size(256, 256), seed=1)
    for index in range(10_000):
        gallery.save(image, request, who=OWNER, job_id="job", index=index, facts={})
        if index == 0:
            os.write(1, f"{os.getpid()}\\n".encode())  # in one piece, beside the others

for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        save_on_and_on(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to start many processes quickly")
def test_sixteen_killed_savers_leave_no_broken_picture(place: Place) -> None:
    """They all save into the same folder, and each is killed at any moment of its saves."""
    command, chance = [sys.executable, "-c", SAVERS, str(place.data), "16"], random.Random(1)
    savers = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert savers.stdout is not None
    try:
        for _ in range(16):
            process = int(savers.stdout.readline())
            time.sleep(chance.uniform(0.0, 0.03))
            os.kill(process, signal.SIGKILL)
        savers.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(savers.pid, signal.SIGKILL)
    assert savers.returncode == 0
    assert place.database.session.others() == set()
    gallery = place.again()
    entries = gallery.page(OWNER, limit=100_000)
    pictures = sorted(gallery.folder.glob("*/*.png"))
    assert len(pictures) >= 16 and sorted(entry.path for entry in entries) == pictures
    for path in pictures:
        with Image.open(path) as image:
            image.load()
        assert read_settings(path)[0].prompt == "a cat"
    assert not list(gallery.folder.rglob("*.part"))
    assert place.database.damaged is None
    assert place.database.rows("PRAGMA integrity_check")[0][0] == "ok"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, r"could not be saved\. The disk that holds .*pictures.* is full; free some space, or .*--data"),
        (errno.EACCES, r"could not be saved in .*pictures.*Permission denied.*; make the folder writable, or .*--data"),
    ],
)
def test_a_disk_that_refuses_is_one_sentence_and_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str, code: int, sentence: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch, pytest.raises(StorageError, match=sentence):
        patch.setattr(os, step, refuse)
        place.save()
    assert place.files() == [] and place.gallery.count(OWNER) == 0
    assert place.save().path.exists(), "the next one is saved again"


def test_a_folder_that_is_a_file_is_one_sentence(data: Path) -> None:
    (data / "pictures").write_text("in the way")
    place = Place(data)
    with pytest.raises(StorageError, match="could not be saved in"):
        place.save()
    place.close()


def test_a_picture_whose_row_fails_is_kept_and_listed_after_a_restart(place: Place) -> None:
    pages = place.database.rows("PRAGMA page_count")[0][0]
    place.database.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match=r"is saved as .*00001-7\.png, but listed only after a restart: .*full"):
        place.save("a long story " * 1000)
    entries = place.again().page(OWNER)
    assert [entry.request.prompt for entry in entries] == ["a long story " * 1000]


def test_pages_are_newest_first_and_follow_each_other(place: Place) -> None:
    saved = [place.save(f"picture {number}").id for number in range(7)]
    newest = list(reversed(saved))
    gallery = place.gallery
    assert [entry.id for entry in gallery.page(OWNER, limit=3)] == newest[:3]
    assert [entry.id for entry in gallery.page(OWNER, before=newest[2], limit=3)] == newest[3:6]
    place.save("a new one changes nothing further back")
    assert [entry.id for entry in gallery.page(OWNER, before=newest[5])] == newest[6:]
    assert gallery.page(OWNER, before=newest[6]) == [] and gallery.page(OWNER, before="nobody's") == []


def test_the_pictures_of_a_job_are_found_whatever_came_after(place: Place) -> None:
    annas = [place.save("of anna", ANNA, seed, job_id="annas").id for seed in range(3)]
    for seed in range(70):
        place.save("later", ANNA, seed, job_id="later")
    assert [entry.id for entry in place.gallery.of_job("annas", ANNA)] == annas
    assert place.gallery.of_job("annas", BEN) == [] and place.gallery.of_job("unknown", ANNA) == []
    place.gallery.delete(annas[1], ANNA)
    assert [entry.id for entry in place.gallery.of_job("annas", ANNA)] == [annas[0], annas[2]]


def test_search_wants_all_words_in_any_case_and_order(place: Place) -> None:
    place.save("Ein Café am Straßenrand, 100% flat_style")
    place.save("a RED house under a blue moon")
    place.save("a red fish", negative="house")
    place.save("a boat, in pastel colours", written=Written("Boot am Kai", "", ("pastel",)))
    place.save("ΣΊΣΥΦΟΣ 猫が好き")

    def found(search: str) -> int:
        assert place.gallery.count(OWNER, search) == len(place.gallery.page(OWNER, search=search))
        return place.gallery.count(OWNER, search)

    counts = {text: found(text) for text in (
        "", "  ", "red", "moon red", "RED HOUSE", "cafe STRASSENRAND", "100%", "%", "_", "flat_style", "kai",
        "σίσυφοσ", "猫", "red cat", "house fish", "'; DROP TABLE pictures; --", "red " * 5000,
    )}  # fmt: skip
    assert counts == {
        "": 5, "  ": 5, "red": 2, "moon red": 1, "RED HOUSE": 1, "cafe STRASSENRAND": 1, "100%": 1, "%": 1, "_": 1,
        "flat_style": 1, "kai": 1, "σίσυφοσ": 1, "猫": 1, "red cat": 0, "house fish": 0,
        "'; DROP TABLE pictures; --": 0, "red " * 5000: 2,
    }  # fmt: skip


def test_other_peoples_pictures_are_invisible(place: Place) -> None:
    annas, bens = place.save("of anna", ANNA), place.save("of ben", BEN)
    gallery = place.gallery
    assert [entry.id for entry in gallery.page(ANNA)] == [annas.id] and gallery.count(ANNA) == 1
    assert gallery.page(OWNER) == [] and gallery.count(OWNER) == 0, "not even the owner's page shows them"
    assert gallery.page(ANNA, search="ben") == [] and gallery.page(ANNA, before=bens.id) == []
    assert gallery.get(bens.id, ANNA) is None and gallery.thumbnail(bens.id, ANNA) is None
    assert not gallery.delete(bens.id, ANNA) and gallery.count(BEN) == 1
    assert gallery.delete(bens.id, BEN) and not gallery.restore(bens.id, ANNA) and gallery.restore(bens.id, BEN)
    assert gallery.get(annas.id, ANNA) is not None and gallery.thumbnail(annas.id, ANNA) is not None


def test_deleting_hides_restoring_shows_purging_removes(place: Place) -> None:
    gallery = place.gallery
    kept, gone = place.save("kept"), place.save("gone")
    assert gallery.thumbnail(gone.id, OWNER)
    assert gallery.delete(gone.id, OWNER) and not gallery.delete(gone.id, OWNER)
    assert [entry.id for entry in gallery.page(OWNER)] == [kept.id] and gallery.count(OWNER, "gone") == 0
    assert gallery.get(gone.id, OWNER).deleted and gone.path.exists()
    assert gallery.restore(gone.id, OWNER) and not gallery.restore(gone.id, OWNER) and gallery.count(OWNER) == 2
    gallery.delete(gone.id, OWNER)
    assert gallery.purge(older_than_s=60) == 0 and gone.path.exists()
    assert gallery.purge(older_than_s=0) == 1 and not gone.path.exists()
    gallery.close()
    assert gallery.get(gone.id, OWNER) is None and not gallery.restore(gone.id, OWNER)
    assert [name for name in place.files() if gone.path.stem in name] == []
    assert place.again().count(OWNER) == 1 and kept.path.exists()


def test_purge_leaves_what_lies_outside_the_folder(place: Place) -> None:
    saved = place.save()
    outside = place.data / "outside.png"
    outside.write_bytes(b"not ours")
    for path in ("../outside.png", str(outside), "2026-01-01/../../outside.png"):
        with place.database.transaction() as connection:
            connection.execute("UPDATE pictures SET path = ?, deleted = 1 WHERE id = ?", (path, saved.id))
        assert place.gallery.purge(0) == 0 and outside.exists()


def test_a_damaged_database_is_rebuilt_from_the_pictures(place: Place) -> None:
    saved = [place.save(f"picture {number}", seed=number, job_id=f"job {number}") for number in range(20)]
    place.close()
    database = place.data / "limner.db"
    database.write_bytes(os.urandom(database.stat().st_size))
    place.open()
    assert place.database.damaged is not None and place.gallery.count(OWNER) == 0
    place.gallery.sweep()
    entries = place.gallery.page(OWNER)
    assert [(entry.id, entry.path, entry.request) for entry in reversed(entries)] == [
        (one.id, one.path, one.request) for one in saved
    ]
    assert place.gallery.count(OWNER, "picture 19") == 1


def test_sweep_adds_files_without_rows_to_the_person_of_their_job(place: Place) -> None:
    JobQueue(place.database).add("annas", request_for("x"), ANNA, False)
    crashed, forgotten = place.save("crashed", ANNA, job_id="annas"), place.save("forgotten", BEN, job_id="unknown")
    with place.database.transaction() as connection:
        connection.execute("DELETE FROM pictures")
    day = crashed.path.parent
    (day / "own.png").write_bytes((ROOT / "tests" / "unit" / "test_gallery.py").read_bytes())
    Image.new("RGB", (8, 8)).save(day / "photo.png")
    (day / "copy.png").write_bytes(crashed.path.read_bytes())
    (day / "00009.part").write_bytes(b"half")
    gallery = place.again()
    assert {entry.path.name for entry in gallery.page(ANNA)} == {crashed.path.name, "copy.png"}
    assert gallery.get(forgotten.id, OWNER) is not None, "the owner of the folder has it"
    assert {entry.path.name for entry in gallery.page(OWNER)} == {forgotten.path.name, "photo.png"}
    assert not (day / "00009.part").exists()
    assert len({entry.id for entry in gallery.page(ANNA)}) == 2
    place.again()
    assert gallery.folder.exists() and place.gallery.count(ANNA) == 2 and place.gallery.count(OWNER) == 2


@pytest.mark.parametrize(
    "facts",
    [
        {"picture": "\ud800", "job": "\ud800", "created": float("nan"), "index": 10**30},
        {"picture": ["a"], "job": {"b": 1}, "created": float("inf"), "index": True},
        {"picture": "x" * 100_000, "job": "../..", "created": -5.0, "index": "0"},
    ],
)
def test_sweep_trusts_no_file_that_somebody_put_there(place: Place, facts: dict[str, object]) -> None:
    from toolkit.metadata import png_info

    day = place.gallery.folder / "2026-01-01"
    day.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(day / "1.png", pnginfo=png_info(request_for("hostile"), facts))
    entry = place.again().page(OWNER)[0]
    assert entry.request.prompt == "hostile" and entry.index == 0 and len(entry.id) == 16
    assert 0 < entry.created <= time.time()


def test_pictures_on_a_disk_that_is_away_come_back_with_it(place: Place) -> None:
    saved = place.save("travelling", ANNA)
    hidden = place.data / "elsewhere"
    place.gallery.close()
    place.gallery.folder.rename(hidden)
    assert place.again().page(ANNA) == []
    place.gallery.folder.mkdir(exist_ok=True)
    for path in hidden.iterdir():
        path.rename(place.gallery.folder / path.name)
    assert [entry.id for entry in place.again().page(ANNA)] == [saved.id]


def test_sweep_leaves_the_unfinished_file_of_a_living_studio(place: Place) -> None:
    day = place.save().path.parent
    other = Database(place.data / "limner.db")
    (day / "00002.part").write_bytes(b"being written")
    place.gallery.sweep()
    assert (day / "00002.part").exists()
    other.close()
    place.gallery.sweep()
    assert not (day / "00002.part").exists()


def test_a_row_of_a_newer_version_still_shows_its_picture(place: Place) -> None:
    saved = place.save("a cat")
    with place.database.transaction() as connection:
        connection.execute("""UPDATE pictures SET request = '{"prompt": "a cat", "flavour": "mint"}'""")
    assert place.gallery.get(saved.id, OWNER).request == GenerationRequest("a cat")
