"""Any story of adding, replacing, revoking and waiting: who gets in is who should."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.app.keys.keeper import KeyKeeper, Made
from sparkwell.core.keys import KeyWish
from sparkwell.gateway.keys.errors import KeyRefusedError
from sparkwell.store import Store

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "rotate", "revoke", "wait", "reopen"]),
        st.integers(0, 9),
        st.none() | st.integers(1, 50),
    ),
    max_size=14,
)


class Story:
    """A keeper, and beside it what is to be true: each secret's owner and until when it is good."""

    def __init__(self, folder: Path) -> None:
        self.file, self.marker = folder / "sparkwell.db", folder / "keys.used"
        self.at = 1000.0
        self.made: list[Made] = []
        self.good_until: dict[str, float] = {}
        self.current: dict[str, str] = {}
        self.ends: dict[str, float] = {}
        self.open()

    def open(self) -> None:
        self.store = Store(self.file)
        self.keeper = KeyKeeper(self.store, self.file, self.marker, now=lambda: self.at)

    def step(self, what: str, which: int, seconds: int | None) -> None:
        living = [key for key in self.current if self.ends[key] > self.at]
        if what == "add":
            end = float("inf") if seconds is None else self.at + seconds
            expires = None if seconds is None else end
            made = self.keeper.add(KeyWish(f"n{len(self.current)}", expires_at=expires))
            self.ends[made.key.id] = end
            self.has_got(made)
        elif what == "wait":
            self.at += which
        elif what == "reopen":
            self.store.close()
            self.open()
        elif living:
            self.change(what, living[which % len(living)], seconds)

    def change(self, what: str, key: str, seconds: int | None) -> None:
        if what == "revoke":
            self.keeper.revoke(key)
            self.ends[key] = float("-inf")
            return
        self.good_until[self.current[key]] = self.at + (seconds or 0)
        self.has_got(self.keeper.rotate(key, overlap_s=float(seconds or 0)))

    def has_got(self, made: Made) -> None:
        self.made.append(made)
        self.current[made.key.id] = made.secret
        self.good_until[made.secret] = float("inf")

    def check(self) -> None:
        assert self.keeper.standing == ("some" if self.made else "none")
        latest: dict[str, list[str]] = {}
        for made in self.made:
            latest.setdefault(made.key.id, []).append(made.secret)
        for made in self.made:
            known = made.secret in latest[made.key.id][-2:]
            good = known and self.at < min(self.ends[made.key.id], self.good_until[made.secret])
            assert self.opens(made) == good

    def opens(self, made: Made) -> bool:
        try:
            found = self.keeper.book.of(made.secret)
        except KeyRefusedError:
            return False
        return found is not None and found.id == made.key.id


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_who_gets_in_is_who_should(steps: list[tuple[str, int, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        try:
            for what, which, seconds in steps:
                story.step(what, which, seconds)
                story.check()
        finally:
            story.store.close()
