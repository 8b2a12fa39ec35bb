"""Schemathesis over a running gateway; run by the interpreter that has it.

    python api_target.py URL CASES SEED MODEL LIMIT_S

Prints one JSON document; after so many seconds also where it has not done all.
Half of the requests that have a model name the one that is loaded, so
that they reach an engine.
"""

import contextlib
import json
import sys
import time
from collections import Counter
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

SLOWEST_S = 20.0
MEANT = {"model_not_ready", "queue_full", "wait_exceeded", "model_not_loaded"}


class Late(Exception):  # noqa: N818 - it ends a run, and nothing is wrong
    """The time is over."""


class Tally:
    """What came back."""

    def __init__(self, limit_s: float) -> None:
        self.deadline = time.monotonic() + limit_s
        self.cases = self.hangs = 0
        self.statuses: Counter[str] = Counter()
        self.meant: Counter[str] = Counter()
        self.engine_s: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.slowest_s = 0.0

    def take(self, case: Any, session: requests.Session, model: str) -> None:
        """Ask once."""
        if time.monotonic() > self.deadline:
            raise Late
        if isinstance(case.body, dict) and "model" in case.body and self.cases % 2:
            case.body["model"] = model
        self.cases += 1
        began = time.monotonic()
        try:
            response = case.call(session=session, timeout=SLOWEST_S)
        except requests.Timeout:
            self.hangs += 1
            self.wrong.append(f"no answer: {case.as_curl_command()}"[:1500])
            return
        except (requests.RequestException, ValueError) as error:
            self._not_sent(case, error)
            return
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.statuses[str(response.status_code)] += 1
        if response.status_code >= 500:
            self._failed(case, response)

    def _not_sent(self, case: Any, error: Exception) -> None:
        """The client's own library refuses some; a connection that the gateway cuts is wrong."""
        if isinstance(error, requests.ConnectionError) and "aborted" in str(error).lower():
            self.wrong.append(f"{error}: {case.as_curl_command()}"[:1500])
        self.statuses["not sent"] += 1

    def _failed(self, case: Any, response: Any) -> None:
        code = _code(response.text)
        if "x-sparkwell-instance" in response.headers:
            self.engine_s[str(response.status_code)] += 1
        elif response.status_code == 503 and code in MEANT:
            self.meant[code] += 1
        else:
            said = f"{response.status_code} {response.text[:300]}"
            self.wrong.append(f"{said}: {case.as_curl_command()}"[:1500])


def _code(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def main() -> None:
    """Every operation gets an equal share of the cases, good and bad ones."""
    url, cases, number, model = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    each = -(-cases // len(operations))
    tally = Tally(float(sys.argv[5]))
    session = requests.Session()
    with contextlib.suppress(Late):
        for operation in operations:
            ask(operation, each, number, tally, session, model)
    found = {
        "operations": len(operations),
        "cases": tally.cases,
        "statuses": dict(sorted(tally.statuses.items())),
        "meant_503": dict(tally.meant),
        "relayed_5xx": dict(tally.engine_s),
        "hangs": tally.hangs,
        "slowest_s": round(tally.slowest_s, 2),
        "wrong": len(tally.wrong),
        "wrong_ones": tally.wrong[:20],
    }
    print(json.dumps(found))


def ask(
    operation: Any, cases: int, number: int, tally: Tally, session: requests.Session, model: str
) -> None:
    """One operation's share. Where there is little to vary, the same is asked again."""
    before = tally.cases
    for mode, share in ((GenerationMode.POSITIVE, 0.5), (GenerationMode.NEGATIVE, 1.0)):
        while tally.cases - before < cases * share:
            left = round(cases * share) - (tally.cases - before)
            had = tally.cases
            _some(operation, mode, min(left, 2000), number + tally.cases, tally, session, model)
            if tally.cases == had:  # nothing can be wrong about it
                break
    while tally.cases - before < cases:
        _some(operation, GenerationMode.POSITIVE, 100, tally.cases, tally, session, model)


def _some(
    operation: Any,
    mode: GenerationMode,
    most: int,
    number: int,
    tally: Tally,
    session: requests.Session,
    model: str,
) -> None:
    @seed(number)
    @settings(
        max_examples=most, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        tally.take(case, session, model)

    try:
        run()
    except Exception as error:
        if type(error).__name__ not in {"Unsatisfiable", "InvalidArgument"}:
            raise


if __name__ == "__main__":
    main()
