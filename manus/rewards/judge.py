"""Scores completions by weighted verifiers, and stays on its feet whatever a verifier does.

Verifiers that score one completion at a time run in one worker process; one that hangs or dies costs its own
score of that completion and a new worker, nothing else. Knows nothing of how scores are learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from manus.data.sample import Sample
from manus.errors import ManusError, RewardError
from manus.rewards.context import Context, Lookup
from manus.rewards.outcome import Outcome, outcome_from, raised
from manus.rewards.process import WorkerGone, WorkerProcess
from manus.rewards.settings import DEFAULT_FAILURE_BUDGET, DEFAULT_TIMEOUT_SECONDS, RewardSettings, identity
from manus.rewards.tally import Tally
from manus.store.digests import Digests

if TYPE_CHECKING:
    pass

# A worker imports what its verifiers need; the user's file may import torch on a busy machine.
START_SECONDS = 120.0

BatchScorer = Callable[[Sequence[Sample], Sequence[str]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Scores:
    """The weighted sum for each completion, and each component's own scores before weighting."""

    total: list[float]
    components: dict[str, list[float]]


class Judge:
    """Scores completions; counts what fails, and stops when that is too often.

    Args:
        rewards: the components.
        context: the stage they score for.
        timeout_seconds: how long one verifier may take for one completion.
        failure_budget: the share of a component's scores that may fail, checked from 20 completions on.
        say: told each reason for a failure when it comes up first.
        while_waiting: called at least every 0.2 s while verifiers work; may raise to end the scoring.
    """

    def __init__(
        self,
        rewards: Sequence[RewardSettings],
        context: Context,
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        failure_budget: float = DEFAULT_FAILURE_BUDGET,
        say: Callable[[str], None] = print,
        while_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self.rewards = tuple(rewards)
        self._single = [reward for reward in self.rewards if reward.module.scorer]
        self._batched = [reward for reward in self.rewards if reward.module.batch_scorer]
        self._context, self._timeout_seconds, self._budget = context, timeout_seconds, failure_budget
        self._say, self._while_waiting = say, while_waiting
        self._tally = Tally(reward.component for reward in self.rewards)
        self._worker: WorkerProcess | None = None
        self._identity: list[dict[str, Any]] | None = None
        self._batch_scorers: dict[str, BatchScorer] = {}

    @property
    def names(self) -> list[str]:
        """The components, by what the log calls them."""
        return [reward.component for reward in self.rewards]

    @property
    def weights(self) -> list[float]:
        """How much each component counts, in the order of the names."""
        return [reward.weight for reward in self.rewards]

    def __enter__(self) -> Judge:
        """Start the worker and load the models, so that what is missing is said before any computing."""
        self._ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker and let go of the models; scoring again would start anew."""
        self._end_worker()
        self._batch_scorers = {}

    @property
    def failures(self) -> list[dict[str, Any]]:
        """What failed: component, reason, count and the first completion, the most frequent first."""
        return self._tally.listed()

    def state(self) -> dict[str, Any]:
        """Return the counts, as JSON takes them, for a checkpoint."""
        return self._tally.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Count on from a checkpoint's state."""
        self._tally.restore(state)

    def score(self, samples: Sequence[Sample], completions: Sequence[str]) -> Scores:
        """Return the scores of completions, each for the sample at its place.

        Where `while_waiting` raises, nothing of this call is counted.

        Raises:
            RewardError: a component fails too often, or its verifier cannot be started.
        """
        assert len(samples) == len(completions)
        tally = self._tally.copy()
        components = {reward.component: [0.0] * len(completions) for reward in self.rewards}
        try:
            for index, component, outcome in self._outcomes(samples, completions):
                self._count(tally, component, outcome, completions[index])
                components[component][index] = outcome.score or 0.0
            tally.check(self._budget)
        except BaseException as error:
            self._end_worker()
            if isinstance(error, RewardError):
                self._tally = tally
            raise
        self._tally = tally
        weighted = [
            [reward.weight * score for score in components[reward.component]] for reward in self.rewards
        ]
        return Scores([sum(scores) for scores in zip(*weighted, strict=True)], components)

    def _count(self, tally: Tally, component: str, outcome: Outcome, completion: str) -> None:
        if failure := tally.count(component, outcome, completion):
            self._say(f"  reward {component} counts as 0: {failure['reason']} (first: {failure['example']})")
        if outcome.score is None:
            tally.check(self._budget)

    def _ready(self) -> None:
        """Load what is not loaded, start the worker where there is none that lives."""
        for reward in self._batched:
            make = reward.module.batch_scorer
            if make is not None and reward.component not in self._batch_scorers:
                self._batch_scorers[reward.component] = make(reward.resolved, self._context)
        if self._worker and not self._worker.is_alive():
            self._end_worker()
        if self._single and not self._worker:
            self._check_is_unchanged()
            self._worker = WorkerProcess(self._while_waiting)
            self._start(self._worker)

    def _check_is_unchanged(self) -> None:
        """Refuse to go on with another worker's verifiers than the first one had."""
        now = identity(self._single, self._context, Lookup(Digests()))
        if self._identity not in (None, now):
            raise RewardError(
                "the file of a reward changed while the stage runs, and a new worker would score otherwise "
                "than before; start the run again: it is another stage now"
            )
        self._identity = now

    def _start(self, worker: WorkerProcess) -> None:
        order = {
            "rewards": [{"verifier": reward.verifier, "options": reward.options} for reward in self._single],
            "capability": self._context.capability,
            "beside": str(self._context.beside),
        }
        names = ", ".join(reward.component for reward in self._single)
        try:
            worker.tell(order)
            told = worker.answer(START_SECONDS)
        except (TimeoutError, WorkerGone) as error:
            self._end_worker()
            is_late = isinstance(error, TimeoutError)
            how = f"was not ready within {START_SECONDS:g} s" if is_late else str(error)
            raise RewardError(f"the verifiers do not load: one of {names} {how}") from None
        except BaseException:
            self._end_worker()
            raise
        if "broken" in told:
            self._end_worker()
            raise RewardError(f"reward {self._single[told['broken']].component!r}: {told['reason']}")

    def _end_worker(self) -> None:
        if self._worker:
            self._worker.kill()
        self._worker = None

    def _outcomes(
        self, samples: Sequence[Sample], completions: Sequence[str]
    ) -> Iterator[tuple[int, str, Outcome]]:
        if self._single:
            for index, (sample, completion) in enumerate(zip(samples, completions, strict=True)):
                for reward, outcome in zip(self._single, self._one_by_one(sample, completion), strict=True):
                    yield index, reward.component, outcome
        for reward in self._batched:
            size = reward.resolved.batch_size
            for start in range(0, len(completions), size):
                self._while_waiting()
                part = slice(start, start + size)
                for offset, outcome in enumerate(self._together(reward, samples[part], completions[part])):
                    yield start + offset, reward.component, outcome

    def _one_by_one(self, sample: Sample, completion: str) -> Iterator[Outcome]:
        """Yield the outcome of each verifier of the worker, which starts anew when one of them ends it."""
        answered = 0
        while answered < len(self._single):
            self._ready()
            worker = self._worker
            assert worker is not None
            try:
                worker.tell({"sample": sample, "completion": completion, "first": answered})
                while answered < len(self._single):
                    _, score, reason = worker.answer(self._timeout_seconds)
                    answered += 1
                    yield Outcome(score, reason)
            except (TimeoutError, WorkerGone) as error:
                self._end_worker()
                answered += 1
                is_late = isinstance(error, TimeoutError)
                yield Outcome(
                    None, f"took longer than {self._timeout_seconds:g} s" if is_late else str(error)
                )

    def _together(
        self, reward: RewardSettings, samples: Sequence[Sample], completions: Sequence[str]
    ) -> list[Outcome]:
        self._ready()
        try:
            outcomes = [
                outcome_from(score) for score in self._batch_scorers[reward.component](samples, completions)
            ]
        except ManusError:
            raise
        except Exception as error:
            return [Outcome(None, raised(error))] * len(completions)
        if len(outcomes) != len(completions):
            return [Outcome(None, f"returned {len(outcomes)} scores for {len(completions)}")] * len(
                completions
            )
        return outcomes
