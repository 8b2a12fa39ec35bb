"""The cases: started from nothing, or put to sleep and woken."""

import shutil
import time
from typing import Any

from engine import Engine
from host import forget_pages, gpu_used_bytes, host_used_bytes, until_released
from measurement import Measurement

from sparkwell.engines.vllm.sleep import BackEnd, sleep_calls, wake_calls

SETTLE_S = 2.0  # before memory is read
UNREAD = "sleep-2-unread"
SLEEPS = {
    "sleep-1": BackEnd.SLEEP_1,
    "sleep-2": BackEnd.SLEEP_2,
    UNREAD: BackEnd.SLEEP_2,
}


def cold(run: Measurement, case: str, times: int) -> None:
    """Start, answer, stop. Kept caches are those of the start before."""
    longest_s = 0.0
    for repetition in range(times):
        if not run.has_time_for(longest_s):
            run.write("skipped", skipped=case, repetition=repetition)
            return
        began_s = time.monotonic()
        if case == "cold-empty":
            shutil.rmtree(run.caches, ignore_errors=True)
            forget_pages(run.model)
        run.write(case, repetition=repetition, **one_start(run))
        longest_s = max(longest_s, time.monotonic() - began_s)


def one_start(run: Measurement, *flags: str) -> dict[str, Any]:
    """From nothing to a first token, and back."""
    engine = run.start(*flags)
    answer = engine.generate()
    row = started(engine, answer.first_token_s) | {"gpu_used_bytes": gpu_used_bytes()}
    row["stop_s"] = round(engine.stop(), 3)
    return row | {"released_s": until_released()}


def started(engine: Engine, first_token_s: float) -> dict[str, Any]:
    """What is to be said of a start."""
    return {
        "request_to_first_token_s": round(engine.entered["ready"] + first_token_s, 3),
        "first_token_s": round(first_token_s, 3),
        "phases": engine.phases(),
        "facts": engine.facts,
        "log": engine.log.name,
    }


def asleep(run: Measurement, wanted: list[tuple[str, int]]) -> None:
    """Start one engine with sleep mode, then let it sleep and wake."""
    caches = "kept" if any(run.caches.glob("*")) else "empty"
    engine = run.start("--enable-sleep-mode")
    try:
        answer = engine.generate()
        row = started(engine, answer.first_token_s) | {"caches": caches, "text": answer.text}
        run.write("start-with-sleep-mode", **row, gpu_used_bytes=gpu_used_bytes())
        for case, times in wanted:
            for repetition in range(times):
                if run.has_time_for(30):
                    row = one_sleep(run, engine, case)
                    run.write(case, repetition=repetition, **row)
    finally:
        engine.stop()
        until_released()


def one_sleep(run: Measurement, engine: Engine, case: str) -> dict[str, Any]:
    """Fall asleep, wait, wake, answer."""
    back_end = SLEEPS[case]
    twice, before = engine.generate(), engine.generate()
    row = {"gpu_used_bytes": gpu_used_bytes(), "host_used_bytes": host_used_bytes()}
    sleep_s = sum(engine.post(call.path, call.body) for call in sleep_calls(back_end))
    time.sleep(SETTLE_S)
    row["gpu_asleep_bytes"] = gpu_used_bytes()
    row["host_used_asleep_bytes"] = host_used_bytes()
    if case == UNREAD:
        forget_pages(run.model)
    began_s = time.monotonic()
    calls = {call.path: engine.post(call.path, call.body) for call in wake_calls(back_end)}
    woken_s = time.monotonic() - began_s
    after = engine.generate()
    return row | {
        "request_to_first_token_s": round(woken_s + after.first_token_s, 3),
        "sleep_s": round(sleep_s, 3),
        "calls": {path: round(seconds, 3) for path, seconds in calls.items()},
        "first_token_s": round(after.first_token_s, 3),
        "text": after.text,
        "same_text": before.text == after.text,
        "same_text_awake": twice.text == before.text,
    }
