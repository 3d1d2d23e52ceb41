"""What passes between a trial and its workers, without processes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import torch

from trainables.ranks.ranks import RankLost
from trainables.trials.group import dispatcher
from trainables.trials.group.dispatcher import Dispatcher, Failure, _ending_of, one_line
from trainables.trials.trial_run import TrialRequest

REPORT = {"reason": "wrong config"}
WRONG = Failure(REPORT, sound=True)
MISSED = Failure(None, sound=False)
BROKEN = Failure(REPORT, sound=False)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "TOGETHER_SECONDS", 0.1)


def together(*calls: Coroutine[Any, Any, Any]) -> list[Any]:
    async def gathered() -> list[Any]:
        return list(await asyncio.gather(*calls))

    return asyncio.run(gathered())


def test_a_worker_gets_what_is_current_and_nothing_that_is_answered() -> None:
    async def exchange() -> None:
        post = Dispatcher()
        assert await post.heard() == -1
        assert await post.post({"first": 1}) == 1
        assert await post.post({"second": 2}) == 2
        assert await post.request(0) == (2, {"second": 2})
        assert await post.request(0) == (2, {"second": 2}), "a new worker gets it again"
        assert await post.heard() == 2
        await post.answer(2, REPORT)
        await post.answer(2, {"reason": "said twice"})
        assert await post.report(2) == REPORT
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post.request(2), 0.05)

    asyncio.run(exchange())


def test_ranks_that_fail_alike_go_on() -> None:
    post = Dispatcher()
    said = together(*(post.failed(1, rank, 3, WRONG) for rank in range(3)), post.report(1))
    assert said == [True, True, True, REPORT]


@pytest.mark.parametrize("others", [[], [MISSED], [BROKEN]])
def test_ranks_that_do_not_fail_alike_have_to_be_made_anew(others: list[Failure]) -> None:
    post, said = Dispatcher(), [WRONG, *others]
    answers = together(*(post.failed(1, rank, 2, each) for rank, each in enumerate(said)))
    assert set(answers) == {False}
    assert together(post.failures(1)) == [dict(enumerate(said))]


def test_a_failure_is_not_held_against_the_next_request() -> None:
    async def two_requests() -> list[Any]:
        post = Dispatcher()
        first = await post.failed(1, 0, 2, WRONG)
        return [first, await post.failures(2), await post.failed(2, 1, 2, WRONG)]

    assert asyncio.run(two_requests()) == [False, {}, False]


def test_only_what_no_worker_took_up_is_taken_back() -> None:
    async def exchange() -> None:
        post = Dispatcher()
        first = await post.post({"first": 1})
        assert await post.withdraw(first)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post.request(0), 0.05)
        second = await post.post({"second": 2})
        await post.request(0)
        assert not await post.withdraw(second)

    asyncio.run(exchange())


def test_a_recall_is_about_one_request() -> None:
    post = Dispatcher()
    together(post.recall())
    assert together(post.recalled()) == [True]
    together(post.post({}))
    assert together(post.recalled()) == [False]


def test_whoever_died_is_named_before_those_who_missed_it() -> None:
    died = RuntimeError(
        "A worker health check failed.\nThe actor died.\nWorker exit type: SYSTEM_ERROR "
        "Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of "
        "file. Some common causes include: (1) the process was killed by the OOM killer"
    )
    missed = RuntimeError("Traceback (most recent call last):\n  File …\nRankLost: closed")
    ending = _ending_of({0: missed, 1: died})
    assert ending.failed == {0, 1}
    assert ending.reason == (
        "worker 1: Worker unexpectedly exits with a connection error code 2. End of file."
    )


def test_how_a_rank_failed(tmp_path: Path) -> None:
    request = TrialRequest(3, "curriculum", {}, 0, [1.0], "prefix", str(tmp_path))
    assert Failure.of(request, RankLost("gone")) == MISSED
    own = Failure.of(request, raised(ValueError("of its own")))
    assert own.sound
    assert own.report is not None
    assert (own.report["number"], own.report["status"]) == (3, "failed")
    assert not Failure.of(request, raised(torch.AcceleratorError("device-side assert"))).sound


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_an_error_without_words_is_named() -> None:
    assert one_line(KeyError()) == "KeyError"
