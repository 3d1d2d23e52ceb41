from __future__ import annotations

import pytest

from cluster import Capacity, TrialResources, capacity


def test_slots_follow_the_nodes_and_a_cluster_without_room_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes: list[dict[str, float]] = [{"CPU": 2.0}]
    said: list[str] = []
    monkeypatch.setattr(capacity, "ASK_SECONDS", -1.0)
    monkeypatch.setattr(capacity, "usable_nodes", lambda: nodes)
    slots = Capacity(TrialResources(1.0, 0.0, 1), 2, said.append)
    assert slots() == 2
    nodes.append({"CPU": 4.0})
    assert slots() == 6
    nodes.clear()
    # One waits, so that an autoscaler sees that a node is wanted.
    assert (slots(), slots()) == (1, 1)
    nodes.append({"CPU": 0.5})
    assert slots() == 1
    nodes.append({"CPU": 3.0})
    assert slots() == 3
    assert said == [
        "waiting for a node: a trial asks for 1 CPU but no node has any",
        "there is room again, for 3 at a time",
    ]


def test_the_cluster_is_not_asked_at_every_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "usable_nodes", lambda: pytest.fail("asked"))
    slots = Capacity(TrialResources(1.0, 0.0, 1), 7, print)
    assert slots() == slots() == 7
