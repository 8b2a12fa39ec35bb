"""One of the fuzzers of fuzz_parsers.py; run by the interpreter that has atheris.

    python fuzz_target.py TARGET [options of libFuzzer]

An input breaks a promise where an AssertionError, or anything that is no refusal, comes out of it.
"""

import json
import re
import sys

import atheris

with atheris.instrument_imports(include=["sparkwell"]):
    from tests.unit.gateway.wire_reading import can_be_sent_on, cut, read_answer, read_requests

    from sparkwell.core.errors import SparkwellError, UsageError
    from sparkwell.core.hosts import host_name, is_from_here, is_loopback_host, is_ours
    from sparkwell.gateway.access import Door, Rules
    from sparkwell.gateway.caller import Caller, Room
    from sparkwell.gateway.headers import encoded, for_engine, from_engine, request_id
    from sparkwell.gateway.keys.book import Book
    from sparkwell.gateway.request import read_model_request
    from sparkwell.gateway.wire.answer import AnswerReader

ASKED = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"
ANSWERED = b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\ncontent-type: a/b\r\n\r\n{}"


def requests(data: bytes) -> None:
    """The first three bytes say where the others are cut."""
    at = [each * len(data) // 256 for each in data[:3]]
    whole, refused = read_requests([data[3:]])
    can_be_sent_on(whole)
    pieces, refused_too = read_requests(cut(data[3:], at))
    _must(pieces.requests == whole.requests, "understood in another way when it is cut")
    # How many empty lines are too many is counted by what comes at a time.
    if not _EMPTY_LINES.search(data):
        _must(refused_too == refused, "refused in another way when it is cut")
    for _, _, headers, _ in whole.requests:
        for_engine(list(headers), plain=True)


def answers(data: bytes) -> None:
    """The same for an engine's answer."""
    at = [each * len(data) // 256 for each in data[:3]]
    whole = read_answer([data[3:]])
    _must(read_answer(cut(data[3:], at)) == whole, "understood in another way when it is cut")
    from_engine(list(whole.headers))


def repeats(data: bytes) -> None:
    """What follows a request, or an answer, is read as by one who has not seen it."""
    at = [each * len(data) // 256 for each in data[:3]]
    rest = data[3:]
    pieces, refused = read_requests([ASKED, *cut(rest, at)])
    whole, refused_too = read_requests([ASKED + rest])
    _must(pieces.requests == whole.requests, "understood in another way when it is remembered")
    if not _EMPTY_LINES.search(rest):
        _must(refused_too == refused, "refused in another way when it is remembered")
    reader = AnswerReader()
    _must(read_answer([ANSWERED], reader).complete, "an answer that is not known")
    later = read_answer(cut(rest, at), reader)
    _must(later == read_answer(cut(rest, at)), "an answer understood in another way")


def bodies(data: bytes) -> None:
    """A body is read as an engine reads it, and edited as if it had been parsed."""
    try:
        asked = read_model_request(data)
    except UsageError:
        return
    try:
        known = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):  # what is passed over is not checked: an engine refuses it
        return
    _must(asked.model == known["model"], "another model than an engine would read")
    _must(asked.edited(asked.model) == data, "not byte for byte")
    try:
        edited = asked.edited("m")
    except UsageError:  # a name that is written with escapes cannot be found
        return
    again = json.loads(edited.decode("utf-8-sig"))
    _must(repr(again) == repr({**known, "model": "m"}), "more than the model was edited")


def door(data: bytes) -> None:
    """Only what is plainly of this machine comes in without a key."""
    host, origin, site = (*data.decode("latin-1").split("\n", 2), "", "")[:3]
    caller = Caller(
        method="POST", path="/v1/completions", peer="127.0.0.1", host=host,
        origin=origin or None, site=site or None, media_type="application/json",
    )  # fmt: skip
    try:
        _DOOR.check(caller, Room.API)
    except SparkwellError as error:
        _must(error.http_status in {401, 403, 415, 421}, "refused with an odd status")
    else:
        _must(is_loopback_host(host) and is_from_here(origin or None, site or None, host), "let in")
        _must(host_name(host) is not None and is_ours(host, ()), "an odd host")
    made = request_id(data)
    _must(0 < len(made) <= 128 and made.decode("ascii").isprintable(), "an odd id")
    for _, value in encoded({"x": data.decode("latin-1")}):
        _must(not set(value) & set(b"\r\n\0"), "a header that ends its line")


def _must(true: bool, why: str) -> None:
    if not true:
        raise AssertionError(why)


_EMPTY_LINES = re.compile(rb"[\r\n]{32}")
_DOOR = Door(Book(), Rules())
TARGETS = {each.__name__: each for each in (requests, repeats, answers, bodies, door)}

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
