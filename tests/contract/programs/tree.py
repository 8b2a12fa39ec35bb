"""An engine for tests: a real process tree that behaves as badly as it is told to.

It prints "ready" when all its processes exist. Every process carries the whole command line,
so a test finds them all in /proc by the value of --tag.
"""

import argparse
import os
import signal
import socket
import sys
import time
from pathlib import Path


def main() -> None:
    args = parse()
    if args.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if args.exit_on_sigterm is not None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(args.exit_on_sigterm))
    for _ in range(args.children):
        fork_child(args)
    write_file(args)
    say("ready")
    talk(args)
    act(args)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tag", required=True)
    parser.add_argument("--children", type=int, default=0)
    parser.add_argument("--own-session", action="store_true")
    parser.add_argument("--double-fork", action="store_true")
    parser.add_argument("--quiet-children", action="store_true", help="they write to /dev/null")
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--children-ignore-sigterm", action="store_true")
    parser.add_argument("--children-refork", action="store_true", help="fork upon SIGTERM, once")
    parser.add_argument("--exit-on-sigterm", type=int)
    parser.add_argument("--exit-after", type=float)
    parser.add_argument("--code", type=int, default=0)
    parser.add_argument("--spam-lines", type=int, default=0)
    parser.add_argument("--line-length", type=int, default=100)
    parser.add_argument("--progress-bars", action="store_true")
    parser.add_argument("--say-hex", default="", help="bytes to write, as they are")
    parser.add_argument("--print-env", action="store_true")
    parser.add_argument("--serve", help="a Unix socket that answers every connection with ok")
    parser.add_argument("--serve-port", type=int, help="a port that does the same")
    parser.add_argument("--tick", type=float, help="a line every so many seconds, until the end")
    parser.add_argument("--touch", help="a file to make when all processes exist")
    return parser.parse_args()


def say(line: str) -> None:
    print(line, flush=True)


def fork_child(args: argparse.Namespace) -> None:
    """Fork one child (or grandchild) and return when it is all that it shall be."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        if args.own_session:
            os.setsid()
        if args.double_fork and os.fork():
            os._exit(0)
        be_a_child(args, writer)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)


def be_a_child(args: argparse.Namespace, ready: int) -> None:
    if args.quiet_children:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (1, 2):
            os.dup2(null, number)
    behaviour = signal.SIG_IGN if args.children_ignore_sigterm else signal.SIG_DFL
    signal.signal(signal.SIGTERM, refork if args.children_refork else behaviour)
    os.write(ready, b"!")
    while True:
        signal.pause()


def refork(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.fork()


def write_file(args: argparse.Namespace) -> None:
    if args.touch:
        Path(args.touch).write_text(str(os.getpid()))


def talk(args: argparse.Namespace) -> None:
    if args.print_env:
        for name, value in os.environ.items():
            say(f"{name}={value}")
    os.write(1, bytes.fromhex(args.say_hex))
    if args.progress_bars:
        for percent in range(0, 101, 10):
            sys.stdout.write(f"\rLoading: {percent}%")
        say("")
    spam(args.spam_lines, args.line_length)


def spam(count: int, length: int) -> None:
    fill = "x" * max(length - 11, 0)
    for start in range(0, count, 1000):
        numbers = range(start, min(start + 1000, count))
        sys.stdout.write("".join(f"{number:09d} {fill}\n" for number in numbers))
    sys.stdout.flush()


def act(args: argparse.Namespace) -> None:
    if args.serve:
        serve(socket.AF_UNIX, args.serve)
    if args.serve_port:
        serve(socket.AF_INET, ("0.0.0.0", args.serve_port))
    if args.tick:
        tick(args.tick, args.exit_after or 1e9)
    if args.exit_after is not None:
        time.sleep(args.exit_after)
        os._exit(args.code)
    while True:
        signal.pause()


def tick(every_s: float, duration_s: float) -> None:
    for number in range(int(duration_s / every_s)):
        say(f"tick {number}")
        time.sleep(every_s)


def serve(family: int, address: str | tuple[str, int]) -> None:
    server = socket.socket(family)
    server.bind(address)
    server.listen()
    while True:
        client, _ = server.accept()
        with client:
            client.sendall(b"ok")


main()
