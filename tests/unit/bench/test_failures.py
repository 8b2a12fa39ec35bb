"""What is said of requests that failed."""

from tests.unit.bench.samples import sample
from tests.unit.bench.test_report import ABOUT, CASES, beside

from sparkwell.bench.failures import failure_notes
from sparkwell.bench.figures import figures
from sparkwell.bench.notes import doubts, notes
from sparkwell.bench.report import document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.run_document import failed_in
from sparkwell.bench.sample import Sample

CUT = "the connection was cut"


def failed(error: str, status: int | None = None) -> Sample:
    found = sample(error=error)
    found.status = status
    return found


def repeat(*samples: Sample) -> Repeat:
    return Repeat(figures(samples, began_s=100.0, ended_s=102.0), samples, 100.0)


def test_nothing_is_said_where_all_were_answered() -> None:
    assert list(failure_notes([sample(), sample()])) == []


def test_how_many_of_how_many_failed_and_why() -> None:
    [said] = failure_notes([sample(), failed(CUT), failed(CUT), sample()])
    assert said == f"2 of 4 requests failed: {CUT}. They are in no latency."


def test_of_several_reasons_the_commonest_is_told() -> None:
    [said] = failure_notes([failed("500: Once."), failed(CUT), failed(CUT), sample()])
    assert said == f"3 of 4 requests failed, 2 of them: {CUT}. They are in no latency."


def test_a_request_that_never_ended_is_one_too() -> None:
    [said] = failure_notes([Sample(1.0)])
    assert said == "1 of 1 requests failed: broken off. They are in no latency."


def test_where_some_were_turned_away_it_says_where_to_look() -> None:
    busy = [failed("503: There are too many connections.", 503)] * 2
    first, second = failure_notes([sample(), *busy])
    assert first.startswith("2 of 3 requests failed: 503: There are too many connections. They")
    assert second.startswith("2 of them got a 503")
    assert "gateway.max_connections" in second


def test_it_is_a_doubt_of_its_case_over_all_repeats() -> None:
    """An engine that died once and came back: the run went on to its end."""
    repeats = [repeat(sample(), failed(CUT)), repeat(sample(), sample())]
    assert notes(CASES[0], repeats)[0].startswith("1 of 4 requests failed")
    run = document(ABOUT, CASES, Measured({0: repeats, 1: [repeat(sample())]}), beside)
    assert doubts(run["cases"][0])
    assert not doubts(run["cases"][1])
    assert (run["broken"], failed_in(run)) == (None, 1)
