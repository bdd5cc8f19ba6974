"""Whose turn it is: the fair order of waiting jobs, as `JobQueue.take` hands them out one by one."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any


def order_of_turns(waiting: Sequence[Mapping[str, Any]], served: int) -> list[str]:
    """The ids of `waiting` (oldest first) in the order in which they run when no other job comes.

    Each row has "id", "who", "returned" (how often it came back from a dead engine), "seq" and "served", the number of
    the person's last turn; `served` is the number of anybody's last turn.
    """
    order = [row["id"] for row in waiting if row["returned"]]
    own: dict[str, list[Mapping[str, Any]]] = {}
    for row in waiting:
        if not row["returned"]:
            own.setdefault(row["who"], []).append(row)
    turns = [(jobs[0]["served"], jobs[0]["seq"], 0, who) for who, jobs in own.items()]
    heapq.heapify(turns)
    while turns:
        _, _, index, who = heapq.heappop(turns)
        order.append(own[who][index]["id"])
        served += 1
        if index + 1 < len(own[who]):
            heapq.heappush(turns, (served, own[who][index + 1]["seq"], index + 1, who))
    return order
