"""An engine that reads prompts in chunks beside decoding, as vLLM does, in a time of its own."""

from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from sparkwell.bench.sample import Sample


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked: ``clients`` that ask again, or ``rate`` a second; ``cached`` is shared."""

    requests: int
    prompt: int
    output: int
    clients: int = 1
    rate: float | None = None
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Engine:
    """How it works; seconds for a step, for a token read in it, for a stream that decodes in it."""

    chunk: int = 8192
    seats: int = 256
    step_s: float = 0.01
    read_s: float = 1e-4
    decode_s: float = 1e-4
    stall_at_s: float | None = None
    stall_s: float = 0.0


@dataclass(slots=True)
class _Job:
    sample: Sample
    unread: int
    left: int


@dataclass(slots=True)
class Simulation:
    """Runs once: ``run`` returns the samples."""

    engine: Engine
    load: Load
    random: Random
    now_s: float = 1.0
    waiting: list[_Job] = field(default_factory=list)
    running: list[_Job] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    due: list[float] = field(default_factory=list)
    asked: int = 0
    has_stalled: bool = False

    def run(self) -> list[Sample]:
        rate, many = self.load.rate, self.load.requests
        if rate is not None:
            gaps = [self.random.expovariate(rate) for _ in range(many)]
            self.due = [self.now_s + at for at in accumulate(gaps)]
        else:
            self.due = [self.now_s] * min(self.load.clients, many)
        while self.due or self.waiting or self.running:
            if not (self.waiting or self.running):
                self.now_s = max(self.now_s, self.due[0])
            while self.due and self.due[0] <= self.now_s:
                self._ask(self.due.pop(0))
            self._step()
        return self.samples

    def _ask(self, at: float) -> None:
        sample = Sample(at, at, status=200, prompt_tokens=self.load.prompt)
        self.samples.append(sample)
        self.waiting.append(_Job(sample, self.load.prompt, self.load.output))
        self.asked += 1

    def _step(self) -> None:
        decoding = [job for job in self.running if not job.unread]
        read = self._read(max(1, self.engine.chunk - len(decoding)))
        engine, work_s = self.engine, self.engine.step_s + self.engine.read_s * read
        work_s += engine.decode_s * len(decoding)
        self.now_s += work_s * self.random.uniform(0.95, 1.1) + self._stall_s()
        for job in [job for job in self.running if not job.unread]:
            self._token(job, self.now_s + 0.003 * self.random.random())

    def _read(self, budget: int) -> int:
        """In the order of arrival, as far as there are seats."""
        given = budget
        while self.waiting and len(self.running) < self.engine.seats:
            job = self.waiting.pop(0)
            if self.load.cached and any(each.first_s is not None for each in self.samples):
                job.unread = max(1, job.unread - self.load.cached)
            self.running.append(job)
        for job in self.running:
            part = min(budget, job.unread)
            job.unread, budget = job.unread - part, budget - part
        return given - budget

    def _stall_s(self) -> float:
        at = self.engine.stall_at_s
        if at is None or self.has_stalled or self.now_s < 1.0 + at:
            return 0.0
        self.has_stalled = True
        return self.engine.stall_s

    def _token(self, job: _Job, at: float) -> None:
        sample = job.sample
        if sample.last_s is None:
            sample.first_s, sample.gaps = at, array("d")
        else:
            sample.gaps.append(at - sample.last_s)
        sample.last_s, job.left = at, job.left - 1
        if not job.left:
            sample.ended_s, sample.output_tokens = at, self.load.output
            self.running.remove(job)
            if self.load.rate is None and self.asked + len(self.due) < self.load.requests:
                self.due.append(at)
                self.due.sort()
