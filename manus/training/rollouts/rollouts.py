"""What reinforcement has in common: answers that are scored, and a few of them kept to look at later.

Knows neither how answers are made nor what is done with their rewards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manus.data.sample import Message, Sample, prompt_of
from manus.files import write_json, write_jsonl
from manus.guards import ranks
from manus.rewards.judge import Judge, Scores

SHOWN_STEPS = 12
SHOWN_ANSWERS = 3
COMPLETIONS = "completions.jsonl"
FAILURES = "reward_failures.json"


@dataclass
class Transcript:
    """A few answers from steps spread over the training."""

    total_steps: int
    lines: list[dict[str, Any]] = field(default_factory=list)

    def is_due(self, step: int) -> bool:
        """Tell whether the next part of the training has begun."""
        shown = {line["step"] for line in self.lines}
        return step not in shown and len(shown) <= SHOWN_STEPS * step / max(1, self.total_steps)

    def note(self, step: int, samples: Sequence[Sample], completions: Sequence[str], scores: Scores) -> None:
        """Keep the first answers of this step, of different prompts as far as there are."""
        asked = [text_of(prompt_of(sample)) for sample in samples]
        distinct = list(dict.fromkeys(asked))
        chosen = [asked.index(prompt) for prompt in distinct[:SHOWN_ANSWERS]]
        self.lines += [
            {
                "step": step,
                "prompt": asked[index],
                "completion": completions[index],
                "expected": samples[index]["messages"][-1]["content"] or None,
                "reward": scores.total[index],
                "rewards": {name: values[index] for name, values in scores.components.items()},
            }
            for index in chosen
        ]


def text_of(messages: Sequence[Message]) -> str:
    """Return turns as people read them."""
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


class Ledger:
    """Scores each batch of answers once, however many components ask for it, and keeps the transcript."""

    def __init__(self, judge: Judge, transcript: Transcript) -> None:
        self.judge, self.transcript = judge, transcript
        self._scored: tuple[Any, Scores] | None = None

    def scores(
        self, step: int, samples: Sequence[Sample], completions: Sequence[str], batch: Any = None
    ) -> Scores:
        """Return the rewards of a batch; `batch` is the object by which it is known again.

        Raises:
            RewardError: on every rank, where the rewards of one fail too often.
        """
        if batch is not None and self._scored is not None and self._scored[0] is batch:
            return self._scored[1]
        with ranks.failing_together():
            scores = self.judge.score(samples, completions)
        self._scored = (batch, scores)
        if self.transcript.is_due(step):
            self.transcript.note(step, samples, completions, scores)
        return scores

    def state(self) -> dict[str, Any]:
        """Return what must survive a kill, as one text."""
        return {"ledger": json.dumps({"judge": self.judge.state(), "transcript": self.transcript.lines})}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what an earlier process had noted."""
        known = json.loads(state["ledger"])
        self.judge.restore(known["judge"])
        self.transcript.lines = known["transcript"]

    def write(self, folder: Path) -> None:
        """Leave the transcript, and what went wrong in verifiers."""
        write_jsonl(folder / COMPLETIONS, self.transcript.lines)
        if self.judge.failures:
            write_json(folder / FAILURES, self.judge.failures)
