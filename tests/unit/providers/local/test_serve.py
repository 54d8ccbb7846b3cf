from __future__ import annotations

from collections.abc import Iterator

import pytest

from mediacore.errors import ErrorClass, MissingDependencyError, ProviderError
from mediacore.providers.local import frames, serve


def steps(*results: serve.Step | Exception) -> Iterator[serve.Step]:
    for result in results:
        if isinstance(result, Exception):
            raise result
        yield result


def drain(jobs: serve.Jobs, count: int) -> list[frames.Head]:
    sent: list[bytes] = []
    for _ in range(count):
        serve.step(jobs.wait_next(), jobs, sent.append)
    return [head for head, _ in frames.Decoder().feed(b"".join(sent))]


def test_requests_of_one_priority_take_turns() -> None:
    jobs = serve.Jobs()
    jobs.add(1, 0, steps(({"n": 1}, b""), ({"n": 2}, b"")))
    jobs.add(2, 0, steps(({"n": 1}, b"")))
    order = [(head["id"], head.get("n", "end")) for head in drain(jobs, 5)]
    assert order == [(1, 1), (2, 1), (1, 2), (2, "end"), (1, "end")]


def test_a_lower_priority_number_goes_first() -> None:
    jobs = serve.Jobs()
    jobs.add(1, 1, steps())
    jobs.add(2, 0, steps())
    assert [head["id"] for head in drain(jobs, 2)] == [2, 1]


def test_a_cancelled_request_is_skipped_also_between_steps() -> None:
    jobs = serve.Jobs()
    jobs.add(1, 0, steps(({}, b""), ({}, b"")))
    jobs.add(2, 0, steps())
    first = drain(jobs, 1)
    jobs.cancel(1)
    assert [head["id"] for head in first + drain(jobs, 1)] == [1, 2]


def test_none_is_a_step_without_a_message() -> None:
    jobs = serve.Jobs()
    jobs.add(1, 0, steps(None))
    assert drain(jobs, 2) == [{"id": 1, "end": True}]


def test_errors_end_the_request_and_never_tell_foreign_text() -> None:
    jobs = serve.Jobs()
    jobs.add(1, 0, steps(ProviderError(ErrorClass.BAD_INPUT, "too long")))
    jobs.add(2, 0, steps(ValueError("what the caller said")))
    known, foreign = drain(jobs, 2)
    assert (known["error"], known["message"]) == ("bad_input", "too long")
    assert foreign["error"] == "internal"
    assert "caller" not in foreign["message"]


def test_a_module_that_is_not_there_names_the_fix() -> None:
    with pytest.raises(MissingDependencyError, match="mediacore\\[local\\]"):
        serve.load("no_such_model_module", {})
