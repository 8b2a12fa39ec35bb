"""What the last seconds of a machine's memory ask for. Pure.

Two floors under MemAvailable. MemAvailable counts what the kernel can take back, so a full page
cache alone never reaches a floor.

    under the soft floor for ``debounce_s``        soft: the newest start is asked to end
    under the hard floor                           hard: it is killed
    under the soft floor, and
      falling so that the hard one is ``horizon_s`` away    hard
      all tasks stalled for STALLED of the last second      hard
      swap filling by SWAP_RATE                             hard
    all tasks stalled for STUCK of STUCK_S, and little free
      although MemAvailable is near the soft floor          soft
"""

from collections.abc import Iterable

from .proc import Sample

GIB = 1024**3
MIB = 1024**2

HISTORY_S = 30.0
WINDOW_S = 1.0  # over which a fall is judged
FASTER = 5  # samples come so many times as often when a floor is near
NEAR = 1.25  # times the soft floor
NEAR_S = 2.0  # to the soft floor, as it falls now
FEWEST = 3  # samples under the soft floor: a pause of the machine is no length of time
RISING = 256 * MIB  # a second: memory comes back, so nobody need be ended yet
STALLED = 0.3
SWAP_RATE = 256 * MIB  # a second
SWAP_WINDOW_S = 2.0
STUCK, STUCK_S = 0.6, 5.0
STUCK_FREE = GIB  # less MemFree than this
STUCK_NEAR = 3.0  # times the soft floor


class Limits:
    """When the guard acts. Bytes and seconds.

    ``grace_s`` is what an engine gets between the request to end and its kill, as long as no
    hard rule holds. ``recover_s`` is how long after an end the kernel may take to count what
    was freed. ``settle_s`` is how long a killed one is waited for before the next one's turn.
    """

    __slots__ = (
        "debounce_s", "grace_s", "hard_floor_bytes", "horizon_s", "recover_s", "sample_s",
        "settle_s", "soft_floor_bytes",
    )  # fmt: skip

    def __init__(
        self,
        *,
        soft_floor_bytes: int = 8 * GIB,
        hard_floor_bytes: int = 4 * GIB,
        sample_s: float = 0.25,
        debounce_s: float = 2.0,
        horizon_s: float = 0.75,
        grace_s: float = 15.0,
        recover_s: float = 1.0,
        settle_s: float = 10.0,
    ) -> None:
        self.soft_floor_bytes = soft_floor_bytes
        self.hard_floor_bytes = min(hard_floor_bytes, soft_floor_bytes)
        self.sample_s = sample_s
        self.debounce_s = debounce_s
        self.horizon_s = horizon_s
        self.grace_s = grace_s
        self.recover_s = recover_s
        self.settle_s = settle_s


class Pressure:
    """That a rule holds: whether it is a hard one, and which, in words."""

    __slots__ = ("hard", "reason")

    def __init__(self, *, hard: bool, reason: str) -> None:
        self.hard = hard
        self.reason = reason


def floors(total_bytes: int, soft_bytes: int, hard_bytes: int) -> tuple[int, int]:
    """Give (soft, hard) for this machine: the wish, at most 1/8 and 1/16 of all its memory."""
    return min(soft_bytes, total_bytes // 8), min(hard_bytes, total_bytes // 16)


class History:
    """The samples of the last HISTORY_S seconds, oldest first."""

    __slots__ = ("samples",)

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.samples = list(samples)

    def add(self, sample: Sample) -> None:
        """Take a sample, and forget those that are too old."""
        self.samples.append(sample)
        oldest = sample.at - HISTORY_S
        keep = next(i for i, each in enumerate(self.samples) if each.at >= oldest)
        del self.samples[:keep]

    @property
    def last(self) -> Sample:
        """The newest sample; there must be one."""
        return self.samples[-1]

    def before(self, seconds: float) -> Sample | None:
        """Find the newest sample that is at least so many seconds older than the last one."""
        limit = self.last.at - seconds + 1e-3
        return next((each for each in reversed(self.samples) if each.at <= limit), None)

    def under(self, floor_bytes: int, since: float, enough_s: float) -> tuple[float, int]:
        """Tell for how long, and in how many samples, there was less than that to the end.

        It looks no further back than ``enough_s``.
        """
        count, start = 0, self.last.at
        for each in reversed(self.samples):
            if each.available >= floor_bytes or each.at < since:
                break
            count, start = count + 1, each.at
            if self.last.at - start >= enough_s:
                break
        return self.last.at - start, count


def pressure(history: History, limits: Limits, since: float) -> Pressure | None:
    """Tell which rule holds now; None when all is well.

    ``since`` is when the last one ended: what was before it does not count.
    """
    last = history.last
    settled = last.at - since >= limits.recover_s
    if last.available < limits.hard_floor_bytes:
        words = f"{gib(last.available)} available, under the hard floor"
        return _hard(f"{words} of {gib(limits.hard_floor_bytes)}") if settled else None
    if last.available >= limits.soft_floor_bytes:
        return _stuck(history, limits) if last.at - since >= STUCK_S else None
    return (_soon_worse(history, limits) if settled else None) or _low(history, limits, since)


def next_s(history: History, limits: Limits) -> float:
    """Tell how long to wait for the next sample: shorter when the soft floor is near."""
    if not history.samples:
        return limits.sample_s
    rate = fall_rate(history) or 0.0
    ahead = history.last.available - max(rate, 0.0) * NEAR_S
    near = ahead < limits.soft_floor_bytes * NEAR
    return limits.sample_s / FASTER if near else limits.sample_s


def fall_rate(history: History) -> float | None:
    """Tell by how many bytes a second memory falls, if it has fallen all through WINDOW_S.

    The smallest rate of four: the window's first half, its second half, its last quarter and
    its last tenth. So a drop that is over is not drawn on into the future.
    """
    first, middle = history.before(WINDOW_S), history.before(WINDOW_S / 2)
    late, latest = history.before(WINDOW_S / 4), history.before(WINDOW_S / 10)
    if first is None or middle is None or late is None or latest is None:
        return None
    pairs = [(first, middle), *((each, history.last) for each in (middle, late, latest))]
    return min((_rate(a, b) for a, b in pairs if b.at > a.at), default=None)


def gib(size_bytes: float) -> str:
    """Write a size as people read it."""
    return f"{size_bytes / GIB:.1f} GiB"


def _soon_worse(history: History, limits: Limits) -> Pressure | None:
    last, rate = history.last, fall_rate(history)
    if rate and last.available - rate * limits.horizon_s < limits.hard_floor_bytes:
        left_s = (last.available - limits.hard_floor_bytes) / rate
        return _hard(
            f"{gib(last.available)} available, falling by {gib(rate)} a second: "
            f"the hard floor of {gib(limits.hard_floor_bytes)} is {left_s:.1f} s away"
        )
    words = f"{gib(last.available)} available, under the soft floor"
    if (share := _stalled_share(history, WINDOW_S)) is not None and share >= STALLED:
        return _hard(f"{words}, and all tasks waited for memory {share:.0%} of the last second")
    if (filling := _swap_rate(history)) is not None and filling >= SWAP_RATE:
        return _hard(f"{words}, and swap fills by {gib(filling)} a second")
    return None


def _low(history: History, limits: Limits, since: float) -> Pressure | None:
    under_s, count = history.under(limits.soft_floor_bytes, since, limits.debounce_s)
    if under_s < limits.debounce_s or count < FEWEST or _is_rising(history):
        return None
    words = f"{gib(history.last.available)} available, under the soft floor"
    return _soft(f"{words} of {gib(limits.soft_floor_bytes)} for {under_s:.1f} s")


def _stuck(history: History, limits: Limits) -> Pressure | None:
    """MemAvailable is an estimate: tasks that wait all the time know better."""
    last = history.last
    if last.available >= limits.soft_floor_bytes * STUCK_NEAR:
        return None
    if last.free is None or last.free >= STUCK_FREE:
        return None
    share = _stalled_share(history, STUCK_S)
    if share is None or share < STUCK:
        return None
    return _soft(
        f"all tasks waited for memory {share:.0%} of the last {STUCK_S:.0f} s with "
        f"{gib(last.free)} free, although {gib(last.available)} count as available"
    )


def _is_rising(history: History) -> bool:
    earlier = history.before(WINDOW_S)
    return earlier is not None and _rate(earlier, history.last) <= -RISING


def _rate(earlier: Sample, later: Sample) -> float:
    return (earlier.available - later.available) / (later.at - earlier.at)


def _stalled_share(history: History, window_s: float) -> float | None:
    earlier, last = history.before(window_s), history.last
    if earlier is None or earlier.full_us is None or last.full_us is None:
        return None
    return (last.full_us - earlier.full_us) / 1e6 / (last.at - earlier.at)


def _swap_rate(history: History) -> float | None:
    earlier, last = history.before(SWAP_WINDOW_S), history.last
    if earlier is None or earlier.swap_free is None or last.swap_free is None:
        return None
    return (earlier.swap_free - last.swap_free) / (last.at - earlier.at)


def _hard(reason: str) -> Pressure:
    return Pressure(hard=True, reason=reason)


def _soft(reason: str) -> Pressure:
    return Pressure(hard=False, reason=reason)
