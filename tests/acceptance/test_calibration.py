"""Every start that was seen is in the store, once, with what the engine said of its memory."""

import os
import signal
from collections.abc import Callable

from sparkwell.core.units import GIB
from sparkwell.engines.environments import environment
from sparkwell.hardware.detect import detect
from sparkwell.store import StartRecord, Starts, reading
from sparkwell.store.record import machine_key
from tests.acceptance.conftest import Home, end, wait_for

Script = Callable[..., None]


def seen(home: Home) -> tuple[StartRecord, ...]:
    """What a plan finds, with or without a daemon: starts on this machine, newest first."""
    version = environment("vllm-cpu").version
    with reading(home.paths.store) as database:
        assert database is not None
        return Starts(database).like(machine_key(detect()), "demo-qwen3", "vllm", version)


def test_a_start_leaves_what_it_took(home: Home, script: Script) -> None:
    script(phases={"warm-up": 0.7}, kv_cache_tokens=160_000, weights_gib=1.5)
    home.ok("up", "demo-qwen3", "--set", "max-num-seqs=7")
    wait_for(lambda: bool(seen(home)))
    [record] = seen(home)
    assert record.instance == home.json("ps")["instances"][0]["id"]
    assert (record.kv_cache_tokens, record.from_metrics) == (160_000, True)
    assert (record.weights_bytes, record.device) == (1.5 * GIB, "cpu")
    assert record.flag_values["max_num_seqs"] == 7
    same = record.flags
    home.ok("restart")
    wait_for(lambda: len(seen(home)) == 2)
    assert [each.flags for each in seen(home)] == [same, same]
    home.ok("down")
    wait_for(lambda: home.processes() == [])
    assert len(seen(home)) == 2


def test_a_start_that_the_next_daemon_adopts_is_counted_once(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    wait_for(lambda: bool(seen(home)))
    before = seen(home)
    os.kill(home.daemon_pid(), signal.SIGKILL)
    daemon = home.serve()
    wait_for(lambda: home.json("ps")["instances"][0]["state"] == "ready")
    home.ok("down")
    assert end(daemon) == 0
    assert seen(home) == before
