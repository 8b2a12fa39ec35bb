"""From a pid to a container's control group, by the texts of three kinds of machines."""

import os

from sparkwell.guard.finding import container_cgroup, find_target, shim_of

ID = "0123456789abcdef" * 4
V2 = "29 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "30 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 1 0:28 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
    "32 1 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 1 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)


def test_docker_under_systemd_with_v2() -> None:
    text = f"0::/system.slice/docker-{ID}.scope\n"
    assert container_cgroup(text, V2) == f"/sys/fs/cgroup/system.slice/docker-{ID}.scope"


def test_a_group_made_inside_a_container_belongs_to_the_container() -> None:
    assert container_cgroup(f"0::/docker/{ID}/init.scope\n", V2) == f"/sys/fs/cgroup/docker/{ID}"


def test_v1_has_its_freezer() -> None:
    text = f"8:memory:/docker/{ID}\n6:freezer:/docker/{ID}\n1:cpu,cpuacct:/docker/{ID}\n0::/\n"
    assert container_cgroup(text, V1) == f"/sys/fs/cgroup/freezer/docker/{ID}"


def test_what_is_in_no_container_has_none() -> None:
    assert container_cgroup("0::/user.slice/user-1000.slice/session-2.scope\n", V2) is None
    assert container_cgroup("4:memory:/process_api/11e26f42cd2065b34eca8643cc513a6a\n", V1) is None
    assert container_cgroup("", "") is None


def test_a_process_without_shim_or_container_is_a_target_by_itself() -> None:
    target = find_target("i", "m", os.getpid(), 12345)
    assert (target.pid, target.keeper, target.cgroup) == (os.getpid(), None, None)
    assert target.started_at == 12345 / os.sysconf("SC_CLK_TCK")
    assert shim_of(2**22 - 1) is None


def test_a_model_without_a_process_is_known_but_cannot_be_ended() -> None:
    assert find_target("i", "m", None, None, 7.0).pid is None
