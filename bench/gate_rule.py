"""When a figure is a regression: the rule of ``ci/benchmark.sh``, without a clock, so that tests can try it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Worse by a fifth, and by an absolute time as well: a fifth of almost nothing is noise.
ALLOWED_RATIO = 1.2
# A figure that fails is measured so many times again before it counts: other work passes, a slow kernel stays.
RETRIES = 3


@dataclass(frozen=True)
class Reading:
    """The best of several rounds: CPU seconds of a figure, and of its yardstick in the same rounds."""

    seconds: float
    yardstick: float

    @property
    def ratio(self) -> float:
        """What is kept as a baseline: the yardstick's time goes up and down with the speed of the machine."""
        return self.seconds / self.yardstick

    def best_of(self, other: "Reading") -> "Reading":
        """Both sets of rounds as one."""
        return Reading(min(self.seconds, other.seconds), min(self.yardstick, other.yardstick))


@dataclass(frozen=True)
class Verdict:
    """One figure beside its baseline; ``expected`` seconds are None where there is none."""

    name: str
    reading: Reading
    expected: float | None
    failed: bool

    @property
    def change(self) -> float | None:
        """0.25 for a quarter slower."""
        return None if self.expected is None else self.reading.seconds / self.expected - 1


@dataclass(frozen=True)
class Limit:
    """The name of a figure, and by how many seconds it must be worse to count."""

    name: str
    least_seconds: float


def compare(limit: Limit, reading: Reading, baseline_ratio: float | None) -> Verdict:
    """A figure fails where it is worse by a fifth AND by the absolute threshold."""
    if baseline_ratio is None:
        return Verdict(limit.name, reading, None, failed=False)
    expected = baseline_ratio * reading.yardstick
    by_ratio = reading.seconds >= ALLOWED_RATIO * expected
    by_seconds = reading.seconds - expected > limit.least_seconds
    return Verdict(limit.name, reading, expected, failed=by_ratio and by_seconds)


def judge(
    limits: Sequence[Limit], measure: Callable[[str], Reading], baseline: Mapping[str, float]
) -> tuple[Verdict, ...]:
    """Measure every figure; then the failing ones again, with the best of all rounds counting.

    They come after all the others, since other work that disturbs one measurement is there for seconds.
    """
    readings = {limit.name: measure(limit.name) for limit in limits}

    def verdicts() -> tuple[Verdict, ...]:
        return tuple(compare(limit, readings[limit.name], baseline.get(limit.name)) for limit in limits)

    for _ in range(RETRIES):
        for verdict in verdicts():
            if verdict.failed:
                readings[verdict.name] = verdict.reading.best_of(measure(verdict.name))
    return verdicts()
