"""The guard as a process: it ends real process trees, by itself, and nothing else."""

import ctypes
import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkwell.guard import ending, files, sampling

from .conftest import processes_with
from .guard_fixtures import GIB, PROGRAM, Box, box_in, target, until

MIB = 1024**2
NOBODY = 65534
PR_CAPBSET_DROP = 24  # of linux/prctl.h
CAP_KILL, CAP_IPC_LOCK = 5, 14  # of linux/capability.h
V1 = Path("/sys/fs/cgroup/freezer")
V2 = next((each for each in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
           if (each / "cgroup.controllers").exists()), Path("/nowhere"))  # fmt: skip


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with box_in(tmp_path) as found:
        yield found


def ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


# Whom it ends, and how.


def test_under_the_soft_floor_the_newest_start_is_asked_to_end(box: Box) -> None:
    old, new = box.engine(), box.engine("--exit-on-sigterm", "7")
    box.tell(target("old", old), target("new", new))
    box.start()
    box.memory.set(7.0)
    until(lambda: ended(new))
    assert new.returncode == 7
    box.memory.set(50.0)
    until(box.trips)
    time.sleep(0.8)
    assert box.did() == [("term", "new")]
    assert not ended(old)


def test_one_that_does_not_end_is_killed_after_its_grace_with_all_its_children(box: Box) -> None:
    engine = box.engine("--ignore-sigterm", "--children-ignore-sigterm", "--children", "3",
                        "--own-session")  # fmt: skip
    box.tell(target("i", engine))
    box.start()
    box.memory.set(7.0)
    until(lambda: ended(engine))
    until(lambda: not processes_with(box.tag.encode()))
    assert engine.returncode == -signal.SIGKILL
    until(lambda: len(box.trips()) == 2)
    assert box.did() == [("term", "i"), ("kill", "i")]


def test_children_whose_parent_obeyed_are_killed_though_they_are_orphans(box: Box) -> None:
    engine = box.engine("--exit-on-sigterm", "0", "--children-ignore-sigterm", "--children", "2",
                        "--own-session")  # fmt: skip
    box.tell(target("i", engine))
    box.start()
    box.memory.set(7.0)
    until(lambda: ended(engine))
    until(lambda: not processes_with(box.tag.encode()))
    until(lambda: box.did() == [("term", "i"), ("kill", "i")])


def test_under_the_hard_floor_it_is_killed_at_once(box: Box) -> None:
    engine = box.engine("--children", "2")
    box.tell(target("i", engine))
    box.start()
    box.wait_for_samples(3)
    began = time.monotonic()
    box.memory.set(3.0)
    until(lambda: ended(engine))
    assert time.monotonic() - began < 2.0
    assert engine.returncode == -signal.SIGKILL
    until(box.trips)
    (trip,) = box.trips()
    assert (trip["kind"], trip["action"], trip["model"]) == ("hard", "kill", "m")
    assert len(trip["signalled"]) == 3
    assert engine.pid in trip["signalled"]
    assert trip["available_bytes"] == 3 * GIB
    columns, rows = trip["trace"]["columns"], trip["trace"]["rows"]
    assert rows[-1][columns.index("at")] == 0
    assert rows[-1][columns.index("available")] == 3 * GIB
    assert rows[0][columns.index("available")] == 100 * GIB


def test_the_next_one_is_ended_when_the_first_is_gone_and_memory_is_low_still(box: Box) -> None:
    old, new = box.engine(), box.engine()
    box.tell(target("old", old), target("new", new))
    box.start()
    box.memory.set(3.0)
    until(lambda: ended(new) and ended(old))
    until(lambda: box.did() == [("kill", "new"), ("kill", "old")])


def test_the_keeper_of_an_engine_is_spared(box: Box) -> None:
    shim = box.engine("--children", "2")
    children = [pid for pid in ending.descendants([shim.pid]) if pid != shim.pid]
    ticks = ending.start_ticks(children[0])
    named = {"instance": "i", "pid": children[0], "start_ticks": ticks,
             "keeper": shim.pid, "keeper_ticks": ending.start_ticks(shim.pid)}  # fmt: skip
    box.tell(named)
    box.start()
    box.memory.set(3.0)
    until(box.trips)
    assert sorted(box.trips()[0]["signalled"]) == sorted(children)
    assert not ended(shim)


def test_a_later_process_with_the_same_pid_is_not_touched(box: Box) -> None:
    engine = box.engine()
    box.tell(target("i", engine) | {"start_ticks": 5})
    box.start(linger_s=30)
    box.memory.set(3.0)
    time.sleep(0.5)
    assert not ended(engine)
    assert [each["action"] for each in box.trips()] == ["none"]


def test_one_that_ends_by_itself_is_no_trip_and_the_next_is_not_ended(box: Box) -> None:
    old, new = box.engine(), box.engine()
    box.tell(target("old", old), target("new", new))
    box.start()
    new.kill()
    new.wait()
    box.memory.set(100.0)
    time.sleep(0.3)
    assert box.trips() == []
    assert not ended(old)


def without(capability: int) -> None:
    """Take a capability from the program that follows, although it is root."""
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability) == 0


def may_lock_8_mib() -> None:
    """Be like a user, whose usual limit that is."""
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (8 * MIB, 8 * MIB))
    if os.geteuid() == 0:
        without(CAP_IPC_LOCK)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_it_says_whom_it_may_not_end_and_takes_the_next_one(box: Box) -> None:
    foreign = subprocess.Popen(["sleep", "60"], user=NOBODY, group=NOBODY, extra_groups=[])
    box.engines.append(foreign)
    ours = box.engine()
    box.tell(target("ours", ours), target("foreign", foreign))
    box.start(first=lambda: without(CAP_KILL))
    until(lambda: "foreign" in box.guard()["cannot_end"])
    assert box.guard()["cannot_end"] == {"foreign": f"not permitted: it belongs to user {NOBODY}"}
    box.memory.set(3.0)
    until(lambda: ended(ours))
    until(lambda: len(box.trips()) == 2)
    assert box.did() == [("kill", "foreign"), ("kill", "ours")]
    refused, done = box.trips()
    assert refused["signalled"] == []
    assert list(refused["refused"]) == [str(foreign.pid)]
    assert done["signalled"] == [ours.pid]
    assert not ended(foreign)


# Real memory.

TAKE = (
    "import time\nb = bytearray(b'x') * ({mib} << 20)\nprint('taken', flush=True)\ntime.sleep(60)"
)


def available_now() -> int:
    found = sampling.available_bytes()
    assert found is not None
    return found


def test_a_process_that_takes_real_memory_is_ended_and_the_memory_is_back(box: Box) -> None:
    """Others use this machine, too: a third of what is taken may be theirs."""
    code = "import sys, time\nsys.stdin.readline()\n" + TAKE.format(mib=1200)
    engine = subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    box.engines.append(engine)
    before = available_now()
    if before < 10 * GIB:
        pytest.skip("this machine has little memory to spare")
    floor = before - 800 * MIB
    box.limits |= {"soft_floor_bytes": floor, "hard_floor_bytes": GIB}
    box.tell(target("i", engine))
    box.start(meminfo=False)
    assert engine.stdin
    engine.stdin.write(b"\n")
    engine.stdin.close()
    until(lambda: ended(engine))
    assert engine.returncode == -signal.SIGTERM
    until(box.trips)
    low = box.trips()[0]["available_bytes"]
    assert low < floor
    until(lambda: available_now() > low + 600 * MIB)


# Control groups.


@pytest.fixture(params=[V2, V1], ids=["v2", "v1"])
def group(request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = request.param / f"sparkwell-guard-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("control groups cannot be made here")
    yield folder
    until(lambda: not (folder / "cgroup.procs").read_text())
    folder.rmdir()


def test_a_container_is_ended_by_its_control_group(box: Box, group: Path) -> None:
    engine = box.engine("--children", "3", "--ignore-sigterm", "--children-ignore-sigterm")
    stranger = box.engine()
    for pid in ending.descendants([engine.pid]):
        (group / "cgroup.procs").write_text(str(pid))
    (group / "cgroup.procs").write_text(str(stranger.pid))  # its parent is none of the engine's
    box.tell(target("i", engine, cgroup=str(group)))
    box.start()
    box.memory.set(3.0)
    until(lambda: ended(engine) and ended(stranger))
    until(box.trips)
    assert {engine.pid, stranger.pid} <= set(box.trips()[0]["signalled"])
    assert len(box.trips()[0]["signalled"]) == 5


def test_a_group_that_the_guard_is_in_itself_is_not_ended(box: Box) -> None:
    engine = box.engine()
    bystander = box.engine()
    root = V2 if (V2 / "cgroup.procs").exists() else V1
    box.tell(target("i", engine, cgroup=str(root)))
    box.start()
    box.memory.set(3.0)
    until(lambda: ended(engine))
    assert not ended(bystander)
    until(box.trips)
    assert box.trips()[0]["signalled"] == [engine.pid]


# Its life.


def test_it_ends_by_itself_when_nobody_needs_it(box: Box) -> None:
    engine = box.engine()
    box.tell(target("i", engine))
    box.start(linger_s=0.3)
    time.sleep(1.5)
    assert box.lives  # nobody holds the daemon's lock, but an engine lives
    engine.kill()
    engine.wait()
    until(lambda: not box.lives)


def test_it_lives_as_long_as_the_daemon(box: Box) -> None:
    with box.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        box.start(linger_s=0.3)
        time.sleep(1.5)
        assert box.lives
    until(lambda: not box.lives)


def test_sigterm_ends_it_and_no_hang_up_does(box: Box) -> None:
    box.start(linger_s=30)
    guard = box.guard()
    os.kill(guard["pid"], signal.SIGHUP)
    time.sleep(0.2)
    assert box.lives
    ending.send(guard["pid"], guard["start_ticks"], signal.SIGTERM)
    until(lambda: not box.lives)
    assert (box.folder / files.ERRORS).read_bytes() == b""


def test_a_folder_has_one_guard(box: Box) -> None:
    box.start(linger_s=30)
    first = box.guard()["pid"]
    subprocess.run(box.argv(), check=True)
    time.sleep(1.5)
    assert box.guard()["pid"] == first
    others = processes_with(str(box.folder).encode())
    assert others == [first]


def test_new_targets_and_limits_are_read(box: Box) -> None:
    box.start(linger_s=30)
    box.memory.set(7.0)
    engine = box.engine()
    box.limits["soft_floor_bytes"] = 6 * GIB
    box.tell(target("i", engine))
    time.sleep(1.0)
    assert not ended(engine)
    box.limits["soft_floor_bytes"] = 8 * GIB
    box.tell(target("i", engine))
    until(lambda: ended(engine))


def test_a_damaged_document_changes_nothing(box: Box) -> None:
    engine = box.engine()
    box.tell(target("i", engine))
    box.start()
    (box.folder / files.TARGETS).write_text("{")
    until(lambda: b"targets are as before" in (box.folder / files.ERRORS).read_bytes())
    box.memory.set(3.0)
    until(lambda: ended(engine))


def test_it_acts_although_its_folder_is_gone(box: Box) -> None:
    engine = box.engine()
    box.tell(target("i", engine))
    box.start()
    box.folder.rename(box.folder.with_name("elsewhere"))
    os.pwrite(os.open(box.folder.with_name("elsewhere") / "meminfo", os.O_WRONLY),
              b"MemAvailable:   1000000 kB\n" + b" " * 60, 0)  # fmt: skip
    until(lambda: ended(engine))
    box.folder.with_name("elsewhere").rename(box.folder)


# What it costs, and how it is protected.


def test_it_is_small_and_says_how_it_is_protected(box: Box) -> None:
    engine = box.engine()
    box.limits["sample_s"] = 0.25
    box.tell(target("i", engine))
    box.start()
    guard = box.guard()
    status = Path(f"/proc/{guard['pid']}/status").read_text()
    locked_kib = int(status.partition("VmLck:")[2].split()[0])
    assert guard["rss_bytes"] < 20 * MIB
    assert guard["protected"]["memory_locked"] == (locked_kib > 0)
    score = Path(f"/proc/{guard['pid']}/oom_score_adj").read_text().strip()
    assert guard["protected"]["oom_protected"] == (score == "-1000")
    assert len(guard["why_not"]) == list(guard["protected"].values()).count(False)
    before_s = processor_s(guard["pid"])
    time.sleep(4.0)
    assert processor_s(guard["pid"]) - before_s < 0.04  # 1 % of a core


def processor_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def test_a_user_that_may_not_lock_memory_has_a_guard_that_says_so(box: Box) -> None:
    engine = box.engine()
    box.tell(target("i", engine))
    box.start(first=may_lock_8_mib)
    guard = box.guard()
    assert guard["protected"]["memory_locked"] is False
    assert "may lock 8192 KiB" in guard["why_not"][0]
    assert "VmLck:\t       0 kB" in Path(f"/proc/{guard['pid']}/status").read_text()
    box.memory.set(3.0)
    until(lambda: ended(engine))


HEAVY = ("asyncio", "dataclasses", "typing", "pathlib", "subprocess", "inspect", "sparkwell")


def test_it_loads_the_standard_library_and_little_of_it() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r}); import guard.watch, "
        "guard.protect, guard.errands; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True,
                          check=True)  # fmt: skip
    loaded = set(done.stdout.split())
    assert "guard.rules" in loaded
    assert not loaded & set(HEAVY)
