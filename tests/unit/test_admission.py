"""Who may queue what: visitors have caps of their own, the owner is held only by the machine."""

from types import SimpleNamespace

import pytest

from toolkit.admission import Limits, admit
from toolkit.errors import NotAdmitted
from toolkit.geometry import Size
from toolkit.jobs import OWNER, Who
from toolkit.request import GenerationRequest, Sampling, Written

VISITOR = Who("v", "visitor")
FINE = GenerationRequest(prompt="a cat", size=Size(256, 256), sampling=Sampling(steps=20, guidance=3.0), seed=1)


def refused(request, who=VISITOR, pending=0, pending_total=0, limits=Limits()):
    with pytest.raises(NotAdmitted) as caught:
        admit(request, who, pending=pending, pending_total=pending_total, limits=limits)
    return caught.value


def test_an_ordinary_request_is_admitted_for_both():
    admit(FINE, VISITOR, pending=3, pending_total=199)
    admit(FINE, OWNER, pending=50, pending_total=199)


@pytest.mark.parametrize(
    ("changes", "field", "admitted"),
    [
        ({"size": Size(1664, 1664)}, "size", "1408 × 1408"),
        ({"size": Size(4096, 1024)}, "size", "2.1 are admitted"),
        ({"steps": 61}, "sampling.steps", "use 60"),
        ({"count": 5}, "count", "use 4"),
        ({"prompt": "x" * 4001}, "prompt", "4,001 characters; visitors may use 4,000"),
        ({"negative": "x" * 4001}, "negative", "visitors may use 4,000"),
        ({"written": Written(prompt="x" * 4001)}, "prompt", "visitors may use 4,000"),
        ({"size": Size(1408, 1408), "count": 4, "steps": 60}, "sampling.steps", "use 37 steps"),
    ],
)
def test_a_visitor_is_told_what_would_be_admitted(changes, field, admitted):
    error = refused(FINE.with_(**changes))
    assert error.field == field
    assert admitted in str(error)
    assert error.retry_after is None
    limits = Limits()
    if field in ("sampling.steps", "count") and "size" not in changes:
        admit(FINE.with_(**{field.split(".")[-1]: getattr(limits, f"visitor_{field.split('.')[-1]}")}), VISITOR,
              pending=0, pending_total=0)  # fmt: skip
    admit(FINE.with_(**changes), OWNER, pending=0, pending_total=0)


def test_the_suggested_size_is_admitted():
    for size in (Size(1664, 1664), Size(4096, 1024), Size(1024, 4096), Size(4096, 4096)):
        words = str(refused(FINE.with_(size=size))).rstrip(".").split("try ")[1]
        admit(FINE.with_(size=Size.parse(words)), VISITOR, pending=0, pending_total=0)


def test_the_suggested_steps_are_admitted():
    large = FINE.with_(size=Size(1408, 1408), count=4)
    admit(large.with_(steps=37), VISITOR, pending=0, pending_total=0)
    refused(large.with_(steps=38))


def test_a_visitor_s_own_jobs_are_counted_and_waiting_helps():
    error = refused(FINE, pending=4, pending_total=4)
    assert error.field == "job" and error.retry_after == 5
    assert "already have 4 jobs" in str(error) and "4 at a time" in str(error)


def test_a_full_studio_takes_nobody_s_job():
    for who in (VISITOR, OWNER):
        error = refused(FINE, who, pending=0, pending_total=200)
        assert error.retry_after == 30 and "200" in str(error)


def test_the_owner_is_held_by_the_machine():
    assert refused(FINE.with_(size=Size(4160, 4160)), OWNER).field == "size"
    assert refused(FINE.with_(size=Size(4096, 4096), count=16, steps=150), OWNER).field == "sampling.steps"
    assert refused(FINE, OWNER, pending=100, pending_total=100).retry_after == 5


def test_a_request_that_was_not_prepared_is_refused():
    assert refused(FINE.with_(size=None)).field == "size"


def test_limits_come_from_settings_of_the_same_name():
    limits = Limits.from_settings(SimpleNamespace(visitor_steps=10, max_pending=7, visitor_count=None, other=3))
    assert limits == Limits(visitor_steps=10, max_pending=7)
    assert "use 10" in str(refused(FINE, limits=limits))
