from sparkwell.drivers.process.shim.ending import ASK_ALL, ASK_MAIN, KILL_ALL, Ending


def test_a_stop_asks_once_and_kills_after_the_grace() -> None:
    ending = Ending()
    assert ending.state == "running"
    assert ending.stop(100.0, 30.0) == ASK_MAIN
    assert ending.stop(101.0, 60.0) is None
    assert ending.state == "stopping"
    assert ending.due(129.9) is None
    assert ending.due(130.0) == KILL_ALL


def test_an_impatient_second_caller_shortens_the_grace() -> None:
    ending = Ending()
    ending.stop(100.0, 30.0)
    ending.stop(101.0, 0.0)
    assert ending.due(101.0) == KILL_ALL


def test_killing_is_repeated_ever_more_slowly_but_never_given_up() -> None:
    ending = Ending()
    ending.stop(0.0, 0.0)
    now, pauses = 0.0, []
    for _ in range(8):
        assert ending.due(now) == KILL_ALL
        assert ending.kill_at is not None
        pauses.append(ending.kill_at - now)
        now = ending.kill_at
    assert pauses == sorted(pauses)
    assert 0.04 < pauses[0] < pauses[-1] <= 1.0


def test_descendants_that_outlive_the_main_process_get_two_seconds() -> None:
    ending = Ending()
    assert ending.main_has_ended(50.0) == ASK_ALL
    assert ending.due(51.9) is None
    assert ending.due(52.0) == KILL_ALL
    assert not ending.requested


def test_the_end_of_the_main_process_never_lengthens_a_grace() -> None:
    ending = Ending()
    ending.stop(100.0, 1.0)
    ending.main_has_ended(100.5)
    assert ending.due(101.0) == KILL_ALL


def test_a_stop_after_a_crash_is_still_a_crash() -> None:
    ending = Ending()
    ending.main_has_ended(50.0)
    assert ending.stop(50.5, 0.0) is None
    assert not ending.requested
    assert ending.due(50.5) == KILL_ALL
