"""Makes pairs of a model's own answers: it answers each prompt several times, right answers beat wrong ones.

Knows nothing of how pairs are learned from. What is done is kept prompt by prompt, so that a kill costs one
batch.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from manus.capabilities import Capability
from manus.data.prepared.samples import PROMPTS, read_arrow, write_pairs
from manus.data.sample import Message, Pair, RowError
from manus.data.settings import OnPolicySettings
from manus.data.tokens.chat_templates import opened_thought
from manus.data.tokens.rendering import render_pair, render_prompt
from manus.errors import DataError
from manus.files import write_json, write_jsonl
from manus.guards.memory import Parked, cuda_uuids
from manus.guards.progress import progress
from manus.guards.run import RUN, Work
from manus.models.loading.composition import compose
from manus.models.loading.precision import device, held_dtype, precision_of
from manus.training.rollouts.sampling import Sampler
from manus.training.stage_job import StageJob
from manus.training.weights import frozen

ANSWERS_AT_ONCE = 64
ANSWERED = "answers.jsonl"


def make_pairs(job: StageJob, settings: OnPolicySettings, capability: Capability) -> dict[str, Any]:
    """Leave `pairs.arrow`, the pairs as text, and how many prompts gave none; return the counts.

    Raises:
        DataError: no prompt had both a right and a wrong answer.
        Interrupted: a signal came; the next run goes on with the next batch of prompts.
    """
    prompts, tokenizer = read_arrow(job.data, PROMPTS), job.tokenizer
    answered = list(_answered(job, prompts, settings, capability))
    counts = {
        "prompts": len(prompts),
        "pairs": 0,
        "all_right": 0,
        "all_wrong": 0,
        "unanswered": 0,
        "too_long": 0,
    }
    texts: list[dict[str, Any]] = []

    def pairs() -> Iterator[Pair]:
        for number, (row, answers) in enumerate(zip(prompts, answered, strict=True)):
            right, wrong = (
                list(dict.fromkeys(a["text"] for a in answers if a["is_right"] is r)) for r in (True, False)
            )
            counts["all_right"] += bool(right and not wrong)
            counts["all_wrong"] += bool(wrong and not right)
            counts["unanswered"] += not (right or wrong)
            for better, worse in _matched(right, wrong, settings.pairs_per_prompt, f"{job.seed}:{number}"):
                turn: Message = {"role": "assistant", "content": better}
                try:
                    pair = render_pair(tokenizer, {"messages": [*row["prompt"], turn], "rejected": worse})
                except RowError:
                    continue  # answers that the template renders alike are no pair
                if len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)) > job.max_length:
                    counts["too_long"] += 1
                    continue
                counts["pairs"] += 1
                texts.append({"prompt": row["prompt"], "chosen": better, "rejected": worse})
                yield pair

    lengths = write_pairs(job.staging, pairs())
    if not len(lengths):
        raise DataError(
            f"{job.name}: of {counts['prompts']} prompts {counts['all_right']} were always answered right, "
            f"{counts['all_wrong']} always wrong and {counts['unanswered']} never to the end, "
            "so there is nothing to compare; give easier or harder data, "
            "a higher on_policy.temperature or max_new_tokens, more samples_per_prompt, or train by sft first"
        )
    write_jsonl(job.staging / "pairs.jsonl", texts)
    right = sum(answer["is_right"] for answers in answered for answer in answers)
    statistics = {**counts, "right_share": right / sum(map(len, answered)), "tokens": int(lengths.sum())}
    write_json(job.staging / "statistics.json", statistics)
    return statistics


def _matched(right: list[str], wrong: list[str], most: int, seed: str) -> list[tuple[str, str]]:
    """Draw pairs of a right and a wrong answer, none twice."""
    possible = list(product(right, wrong))
    return random.Random(seed).sample(possible, min(most, len(possible)))


def _answered(
    job: StageJob, prompts: Any, settings: OnPolicySettings, capability: Capability
) -> Iterator[list[dict[str, Any]]]:
    """Yield the judged answers to each prompt, in order: those of an earlier process, then new ones."""
    job.work.mkdir(parents=True, exist_ok=True)
    path, count = job.work / ANSWERED, settings.samples_per_prompt
    at_once = max(1, ANSWERS_AT_ONCE // count)
    known = _whole_batches(path, at_once)
    yield from known
    if len(known) == len(prompts):
        return
    tokenizer = job.tokenizer
    model = frozen(compose(job.base, job.start, held_dtype(precision_of("auto"))).to(device()))
    RUN.watch_heat(cuda_uuids())
    sampler, parked = _sampler(model, tokenizer, settings, at_once * count), Parked(model)
    with (
        progress(f"answer prompts of {job.name}", len(prompts), "prompts") as advance,
        path.open("a") as file,
    ):
        for start in range(len(known), len(prompts), at_once):
            RUN.cross(f"answering prompts of {job.name}", work=Work(None, parked.park, parked.unpark))
            rows = [prompts[index] for index in range(start, min(start + at_once, len(prompts)))]
            set_seed(job.seed + start)  # so that it does not matter where an earlier process stopped
            for answers in _draw(sampler, tokenizer, rows, count, capability):
                file.write(json.dumps(answers) + "\n")
                yield answers
            file.flush()
            advance(start + len(rows))


def _draw(sampler: Sampler, tokenizer: Any, rows: Any, count: int, capability: Capability) -> Iterator[Any]:
    texts = [render_prompt(tokenizer, row["prompt"]) for row in rows]
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    drawn = sampler.draw([prompt for prompt in ids for _ in range(count)])
    thoughts = [opened_thought(text) for text in texts for _ in range(count)]
    words = [text.strip() for text in tokenizer.batch_decode(drawn, skip_special_tokens=True)]
    said = [thought + text if text else "" for thought, text in zip(thoughts, words, strict=True)]
    for number, row in enumerate(rows):
        sample = json.loads(row["sample"])
        own = slice(number * count, (number + 1) * count)
        # An answer that was cut off, or is empty, is neither right nor an example of a wrong one.
        kept = [
            text for text, ids in zip(said[own], drawn[own], strict=True) if text and sampler.is_finished(ids)
        ]
        yield [{"text": text, "is_right": bool(capability.score(sample, text).correct)} for text in kept]


def _sampler(model: Any, tokenizer: Any, settings: OnPolicySettings, rows: int) -> Sampler:
    from accelerate import Accelerator

    return Sampler(model, tokenizer, settings, Accelerator(cpu=not torch.cuda.is_available()), rows)


def _whole_batches(path: Path, at_once: int) -> list[list[dict[str, Any]]]:
    """Return what an earlier process wrote, and cut off a batch that it did not finish."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[
        :-1
    ]  # what follows the last line end is no whole line
    lines = lines[: len(lines) // at_once * at_once]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return [json.loads(line) for line in lines]
