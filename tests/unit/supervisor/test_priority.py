"""``models.NAME.priority``: whose requests are served first, and that nobody starves for it."""

from dataclasses import replace

from tests.unit.supervisor.story import POLICY, STOPPED, A, Story
from tests.unit.supervisor.switching_bench import Bench

from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import State
from sparkwell.supervisor.terms import PERSON, Policy, Terms

PATIENT = Policy(min_residency_s=0.0, quiet_s=0.0, patience_s=60.0)


async def test_the_model_of_the_higher_priority_is_next() -> None:
    bench = Bench(PATIENT)
    bench.held["d"] = 60
    await bench.ready("a")
    lease = bench.ask("a").lease
    assert lease is not None
    bench.ask("d", Terms(60, 60))
    bench.ask("b", Terms(60, 60, priority=5))
    waiting = {each.model: each.priority for each in bench.supervisor.box.waiting}
    assert waiting == {"d": 0, "b": 5}
    lease.release()
    assert await bench.launched("b")
    await bench.supervisor.close()


async def test_what_a_person_asks_for_is_a_person_s_whatever_the_model_s_priority() -> None:
    bench = Bench(PATIENT)
    await bench.ready("a")
    bench.ask("b", Terms(60, 60, priority=-100), priority=PERSON)
    assert [each.priority for each in bench.supervisor.box.waiting] == [PERSON]
    assert await bench.launched("b")  # though nobody has been patient yet
    await bench.supervisor.close()


class Stream(Story):
    """Engines that start in 5 s and answer at once; what is asked for does not stop coming."""

    def let_work(self) -> None:
        owed = [*self.effects]
        while owed:
            effect = owed.pop(0)
            if event := self.answer(effect):
                owed += self.tell(event).effects

    def answer(self, effect: says.Effect) -> says.Event | None:
        match effect:
            case says.Prepare(instance=instance):
                return says.Prepared(instance, 60)
            case says.Launch(instance=instance):
                return says.Answered(instance)
            case says.Terminate(instance=instance):
                return says.Ended(instance, STOPPED)
            case says.Settle(instance=instance):
                return says.Settled(instance)
            case says.Grant(instance=instance):
                return says.Released(instance)
            case _:
                return None

    def asked_for(self, model: str, priority: int) -> None:
        self.ask(model, A, priority)
        self.let_work()


def served_after_s(priority: int, steps: int = 400) -> float | None:
    """When one of the lowest priority is served, while two important ones are always asked for."""
    stream = Stream(now=0.0)
    stream.asked_for("a", priority)
    stream.asked_for("low", -100)
    for _ in range(steps):
        stream.now += 5.0
        for model in ("a", "b"):
            stream.asked_for(model, priority)
        if stream.state("low") is State.READY:
            return stream.now
    return None


def test_a_stream_of_important_requests_starves_nobody() -> None:
    """After half of the longest wait it is next; who is there then may stay its time."""
    after_s = served_after_s(100)
    assert after_s is not None
    assert POLICY.due_s <= after_s <= POLICY.due_s + POLICY.patience_s


def test_a_small_difference_is_a_matter_of_a_few_patiences() -> None:
    after_s = served_after_s(-98)
    assert after_s is not None
    assert after_s <= 4 * POLICY.patience_s


def test_where_waiting_did_not_count_it_would_starve() -> None:
    """That the stream is one that could."""
    stream = Stream(now=0.0, policy=replace(POLICY, max_wait_s=1e9))
    stream.asked_for("a", 100)
    stream.asked_for("low", -100)
    for _ in range(340):  # less than the 1,800 s after which it would be refused
        stream.now += 5.0
        for model in ("a", "b"):
            stream.asked_for(model, 100)
    assert stream.state("low") is None
