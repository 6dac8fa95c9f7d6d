"""The process that scores completions singly: `python -m manus.rewards.worker PARENT`. Never imports torch.

One JSON value a line. The first line in is {"rewards": [{verifier, options}], "capability", "beside"}; the
answer is {"ready": true}, or {"broken": index of the reward, "reason"}. Then each line in is {"sample",
"completion", "first"}; for each reward from index `first` on, a line out says [index, score or null, reason].
The end of the input is the end.

What verifiers print goes to stderr, what they read from stdin is empty: the pipes to the parent are kept
apart.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from manus.errors import InputError
from manus.guards.requests import die_with
from manus.rewards.context import Context
from manus.rewards.outcome import Outcome, outcome_of, raised
from manus.rewards.settings import RewardSettings

IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

Scorer = Callable[[Any, str], float]


def main() -> None:
    """Score until the parent has no more to score, or is gone."""
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if not die_with(int(sys.argv[1]), signal.SIGKILL):
        return
    asked, answers = _pipes_kept_apart()
    scorers = _load(json.loads(asked.readline()), answers)
    own = os.getpid()
    for line in asked:
        question = json.loads(line)
        for index in range(question["first"], len(scorers)):
            outcome = _score(scorers[index], question)
            if os.getpid() != own:
                os._exit(0)  # a verifier forked, and its child came back here
            _say(answers, [index, outcome.score, outcome.reason])
    os._exit(0)  # without waiting for threads that a verifier may have left


def _score(scorer: Scorer, question: Any) -> Outcome:
    # A verifier that draws draws the same for the same completion, also after a restart.
    random.seed(question["completion"])
    return outcome_of(lambda: scorer(question["sample"], question["completion"]))


def _pipes_kept_apart() -> tuple[TextIO, TextIO]:
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return asked, answers


def _load(order: Any, answers: TextIO) -> list[Scorer]:
    context = Context(order["capability"], Path(order["beside"]))
    scorers: list[Scorer] = []
    for index, reward in enumerate(RewardSettings(**given) for given in order["rewards"]):
        try:
            assert reward.module.scorer is not None, "others score in the trainer's process"
            scorers.append(reward.module.scorer(reward.resolved, context))
        except BaseException as error:  # also sys.exit in the user's file
            _say(
                answers,
                {"broken": index, "reason": str(error) if isinstance(error, InputError) else raised(error)},
            )
            os._exit(1)
    _say(answers, {"ready": True})
    return scorers


def _say(answers: TextIO, value: Any) -> None:
    answers.write(f"{json.dumps(value)}\n")
    answers.flush()


if __name__ == "__main__":
    main()
