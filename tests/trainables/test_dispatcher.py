"""What passes between a trial and its workers, without processes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from trainables import dispatcher
from trainables.dispatcher import Dispatcher, _ending_of, one_line
from trainables.ranks import RankLost

REPORT = {"reason": "wrong config"}


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
    said = together(*(post.failed(1, rank, 3, {**REPORT, "rank": rank}) for rank in range(3)))
    assert said == [True, True, True]
    assert together(post.report(1)) == [{**REPORT, "rank": 0}]


@pytest.mark.parametrize("other", [[], [None]], ids=["a rank is silent", "a rank missed another"])
def test_ranks_that_do_not_fail_alike_have_to_be_made_anew(other: list[None]) -> None:
    post = Dispatcher()
    calls = [post.failed(1, 0, 2, REPORT), *(post.failed(1, 1, 2, each) for each in other)]
    assert set(together(*calls)) == {False}
    assert together(post.failures(1)) == [{0: REPORT, **dict.fromkeys(range(1, 1 + len(other)))}]


def test_a_failure_is_not_held_against_the_next_request() -> None:
    async def two_requests() -> list[Any]:
        post = Dispatcher()
        first = await post.failed(1, 0, 2, REPORT)
        return [first, await post.failures(2), await post.failed(2, 1, 2, REPORT)]

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
    ending = _ending_of({0: RankLost("Traceback\nRankLost: connection closed"), 1: died})
    assert ending.failed == {0, 1}
    assert ending.reason == (
        "worker 1: Worker unexpectedly exits with a connection error code 2. End of file."
    )


def test_an_error_without_words_is_named() -> None:
    assert one_line(KeyError()) == "KeyError"
