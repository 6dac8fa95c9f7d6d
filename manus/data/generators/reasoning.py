r"""Questions of reasoning-gym (https://github.com/open-thought/reasoning-gym), by level. Synthetic.

A level is a level of the task's own curriculum, counted from 1. reasoning-gym gives no worked steps, so the
answer is a short sentence that ends in `\boxed{}`. Held-out rows are of two sorts:

- `tasks` train and are held out: which of the two a question belongs to is decided by its digest, so no
  question is ever on both sides, whatever the seeds;
- `unseen_tasks` are held out only: they show whether anything carries over to other tasks.

`task` and `entry` (JSON) let reasoning-gym's own scorer be used: `get_score_answer_fn(task)(answer, entry)`,
as the reward `reasoning-gym` does.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from manus.data.generators._distinct import distinct_rows
from manus.errors import DataError, did_you_mean
from manus.settings.frozen import Frozen

VERSION = 1
SAMPLE_KINDS = ("messages", "prompt")
REQUEST = "Give the final answer in \\boxed{}."

# One question in this many is held out.
HELD_OUT_SHARE = 3
DRAWS_PER_TURN = 40
TURNS_UNTIL_EXHAUSTED = 100
_INDEX_LIMIT = 2**31

Names = Annotated[tuple[str, ...], Field(strict=False)]


class Settings(Frozen):
    """Which tasks, at which levels."""

    tasks: Names = Field(
        ("chain_sum", "leg_counting", "letter_counting", "spell_backward", "family_relationships", "gcd"),
        min_length=1,
        description="Tasks of reasoning-gym that train and are held out.",
    )
    unseen_tasks: Names = Field(("basic_arithmetic", "aiw"), description="Tasks that are held out only.")
    levels: tuple[Annotated[int, Field(ge=1, le=5)], ...] = Field((1, 2, 3), min_length=1, strict=False)


def rows(count: int, seed: int, held_out: bool, settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield `count` different questions, tasks and levels in turn.

    Raises:
        DataError: a task is not known, or cannot make that many different questions.
    """
    draw = random.Random(f"reasoning:{seed}:{held_out}")
    tasks = settings.tasks + (settings.unseen_tasks if held_out else ())
    # Every draw takes the next task and level, also after a repetition: small tasks run dry before large
    # ones.
    turns = itertools.cycle(
        [(task, level, _maker(task, level)) for level in settings.levels for task in tasks]
    )

    def row(_: int) -> dict[str, Any]:
        for task, level, maker in itertools.islice(turns, TURNS_UNTIL_EXHAUSTED):
            for _ in range(DRAWS_PER_TURN):
                entry = maker[draw.randrange(_INDEX_LIMIT)]
                if task in settings.unseen_tasks or _is_held_out(entry["question"]) == held_out:
                    return _row(task, level, entry)
        raise DataError(
            f"the tasks {', '.join(tasks)} have no {'held-out' if held_out else 'training'} questions"
        )

    return distinct_rows(row, count)


def _maker(task: str, level: int) -> Any:
    from reasoning_gym.factory import CURRICULA, create_curriculum, create_dataset

    if task not in CURRICULA:
        raise DataError(f"reasoning-gym has no task {task!r} with levels; {did_you_mean(task, CURRICULA)}")
    curriculum = create_curriculum(task)
    curriculum.set_global_level(level - 1)
    configuration = curriculum.generate_configuration({"seed": 0, "size": _INDEX_LIMIT})
    return create_dataset(task, **vars(configuration))


def _is_held_out(question: str) -> bool:
    return hashlib.sha256(question.encode()).digest()[0] % HELD_OUT_SHARE == 0


def _row(task: str, level: int, entry: dict[str, Any]) -> dict[str, Any]:
    answer = str(entry["answer"])
    return {
        "messages": [
            {"role": "user", "content": f"{entry['question'].strip()}\n{REQUEST}"},
            {"role": "assistant", "content": f"The answer is \\boxed{{{answer}}}."},
        ],
        "answer": answer,
        "level": str(level),
        "task": task,
        "entry": json.dumps(entry, default=str),
    }
