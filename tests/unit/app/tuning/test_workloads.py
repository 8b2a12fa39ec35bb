"""One workload to tune on, two to check with."""

from sparkwell.app.tuning.workloads import cases, told, workloads
from sparkwell.bench.workload import Workload


def test_the_three_of_the_guides_experiment() -> None:
    assert workloads(None, None, None) == (
        Workload(512, 256),
        Workload(128, 1024),
        Workload(8320, 128, document_tokens=8192),
    )


def test_others_follow_from_what_is_asked_for() -> None:
    assert [told(each) for each in workloads(40, 10, None)] == [
        "40 in, 10 out",
        "10 in, 40 out",
        "650 in, 640 of them shared, 5 out",
    ]
    assert workloads(1, 1, None)[2] == Workload(17, 1, document_tokens=16)


def test_none_is_longer_than_the_model_takes() -> None:
    assert max(each.tokens for each in workloads(None, None, 1024)) == 1024


def test_each_number_of_clients_is_a_case() -> None:
    found = cases(Workload(512, 256), (1, 16))
    assert [(each.clients, each.requests) for each in found] == [(1, 3), (16, 32)]
