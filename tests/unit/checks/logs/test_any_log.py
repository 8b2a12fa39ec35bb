"""Whatever a log holds: the digest is bounded, the same however it was cut, and has no secret."""

import time
from itertools import pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.digest import digest_bytes
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot, from_json, to_json

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SECRET = "Zq7Xw9Lm3Kp5Rt8Vb2NcZq7Xw9Lm3Kp5"
PIECES = (
    b"(EngineCore_DP0 pid=7) ERROR 11-21 10:00:00 [core.py:7] ", b"(APIServer pid=1) INFO:     ",
    b"Traceback (most recent call last):\n", b'  File "/x.py", line 3, in f\n', b"    g()\n",
    b"ValueError: No available memory for the cache blocks.", b"\\\n", b"\\\r\n", b"\r", b"\r\n",
    b"\n", b"\n\n", b"\x1b[31m", b"\x1b[0m", b"\x1b]0;t\x07", b"\x1b", b"\0", b"\0" * 300, b"\xff",
    b"\xef\xbb\xbf", b"vllm-1  | ", b"2026-11-21T10:00:00.123Z ", b"Nov 21 10:00:00 host x[1]: ",
    b'[GIN] 2026/11/21 - 10:00:00 | 500 | 1s | ::1 | POST "/"\n', b"x" * 5_000, b"e" * 21_000,
    "Größe 模型 ▄▀█ \u202e\u2028".encode(), b"level=WARN source=a.go:1 ", b"(", b")", b"|", b"'",
    b"Engine 000: Avg prompt throughput: 1.0 tokens/s, Waiting: 3 reqs", b" pid=", b"12345 " * 50,
    b"Received request a: prompt: 'Out of memory", b"Initializing a V1 LLM engine (v0.33.0) with",
    b"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", b"To serve at least",
    b"Free memory on device (3.1/119.7 GiB) on startup is less than desired GPU memory utilization",
)  # fmt: skip
SECRETS = (
    b"hf_%s", b"Authorization: Bearer %s", b"--api-key %s", b"api_key='%s'", b"'api_key': ['%s']",
    b"HF_TOKEN=%s", b"https://me:%s@host/", b"Received request a: prompt: '%s'",
    b"AWS_SECRET_ACCESS_KEY=%s",
)  # fmt: skip
logs = st.one_of(
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=60)), max_size=80).map(b"".join),
    st.text(max_size=300).map(lambda text: text.encode("utf-16", "surrogatepass")),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(max_size=300).map(lambda text: text.encode("latin-1", "replace")),
    st.binary(max_size=2_000),
)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """The log in pieces."""
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:end] for start, end in pairwise(places)]


def read(data: bytes) -> LogDigest:
    """Its digest."""
    return digest_bytes([data], "a.log")


@QUICK
@given(logs, st.lists(st.integers(min_value=0), max_size=12), st.integers(1, 400))
def test_where_it_was_cut_does_not_matter(data: bytes, at: list[int], times: int) -> None:
    data = (data * times)[:400_000]
    assert digest_bytes(cut(data, at), "a.log") == read(data)


@QUICK
@given(logs, st.integers(1, 2_000))
def test_lines_are_short_in_order_and_readable(data: bytes, times: int) -> None:
    log = read((data * times)[:400_000])
    numbers = [line.number for line in log.lines]
    assert numbers == sorted(set(numbers))
    assert not numbers or (numbers[0] >= 1 and numbers[-1] <= log.total_lines)
    assert len(log.lines) <= 2_000
    assert log.left_out >= 0
    for line in log.lines:
        assert len(line.text) <= 2_000
        assert line.times >= 1
        assert line.begins <= len(line.text)
        assert all(sign.isprintable() or sign.isspace() for sign in line.text)
        assert not set(line.text) & set("\x1b\0\r\n\u202e\u2028")


@QUICK
@example(b"0\\", b"hf_%s", b"")  # joined to a line that ends as one that vLLM has wrapped
@example(b"x\\", b"hf_%s", b"")
@given(logs, st.sampled_from(SECRETS), logs)
def test_no_secret_is_kept(before: bytes, form: bytes, after: bytes) -> None:
    if before[:2] in {b"\xff\xfe", b"\xfe\xff"}:  # what follows would be other letters
        before = b""
    data = before + b"\n" + form % SECRET.encode() + b"\n" + after
    assert not any(SECRET in line.text for line in read(data).lines)


@QUICK
@given(st.integers(0, 30_000), st.sampled_from(SECRETS), st.sampled_from((b"y", b"\x1b[0m", b"\r")))
def test_no_part_of_a_secret_is_kept_where_a_line_is_cut(
    length: int, form: bytes, filler: bytes
) -> None:
    line = (filler * length)[:length] + b" " + form % SECRET.encode() + b" Error" + b"z" * 9_000
    assert not any(SECRET[-12:] in each.text for each in read(line).lines)


@QUICK
@given(logs, st.integers(1, 300))
def test_judging_it_never_fails_and_takes_no_longer_than_may_be(data: bytes, times: int) -> None:
    snapshot = Snapshot(0.0, "test", logs=(read((data * times)[:200_000]),))
    began = time.process_time()
    findings = judge(snapshot)
    assert time.process_time() - began < 5
    assert all(SECRET not in text for each in findings for text in each.evidence)
    assert from_json(to_json(snapshot)) == snapshot
