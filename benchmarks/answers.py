"""Answers by the engine and by transformers' own ways, in one run: seconds side by side, ratios, peak memory.

    python -m benchmarks.answers [--base results/quickstart/base] [--repeats 3]
        [--asks probe group one] [--sides ...]

`probe`: 80 questions of the quickstart as its probe asks them. `spread`: the same, each with a limit of its
own between a third of the longest answer and all of it. `group`: 4 prompts answered 8 times each, with such
limits, as a step of grpo asks. `one`: a single answer. Sides: `engine`; `generate`, batches of 32 of like
length as Manus had them, which end with their longest answer; `continuous`, transformers' continuous
batching. Each side of each ask is a process of its own, in turn, so that a noisy machine harms all alike.
Seconds and processor's seconds are medians; loading does not count.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
SEED, QUESTIONS, LIMIT, ROWS = 1, 80, 80, 32
PROMPTS_IN_STEP, GROUP = 4, 8
BLOCKS, BATCH_TOKENS = 64, 256  # of continuous batching: by itself it takes most of the free memory
ASKS, SIDES = ("probe", "spread", "group", "one"), ("generate", "engine", "continuous")

Asked = list[tuple[list[int], int]]  # prompts, and the longest answer to each


def asked(kind: str, count: int, tokenizer: Any) -> Asked:
    """Return the prompts of an ask, and how long the answer to each may be."""
    from manus.capabilities import cot
    from manus.data.settings import Source
    from manus.data.sources.rows import rows
    from manus.data.tokens.rendering import render_prompt

    read = [
        cot.read(row)  # type: ignore[arg-type]
        for _, row in rows(Source(generator="cot"), ROOT, count, SEED, False)
        if row
    ]
    prompts = [
        tokenizer(render_prompt(tokenizer, one["messages"][:-1]), add_special_tokens=False)["input_ids"]
        for one in read
    ]
    draw = random.Random(SEED)
    if kind == "one":
        return [(prompts[0], LIMIT)]
    if kind == "group":
        prompts = [prompt for prompt in prompts[:PROMPTS_IN_STEP] for _ in range(GROUP)]
    return [(prompt, LIMIT if kind == "probe" else draw.randint(LIMIT // 3, LIMIT)) for prompt in prompts]


def by_engine(
    model: Any, tokenizer: Any, questions: Asked, ends: list[int], is_group: bool
) -> list[list[int]]:
    """Answer by the engine."""
    from manus.models.generation.engine import Engine
    from manus.models.generation.questions import Drawing, Question

    engine = Engine(model, places=len(questions) if is_group else ROWS, pad_token_id=tokenizer.pad_token_id)
    order = sorted(range(len(questions)), key=lambda number: len(questions[number][0]), reverse=True)
    said = engine.answers(
        [Question(questions[n][0], Drawing(max_new_tokens=questions[n][1], ends=tuple(ends))) for n in order]
    )
    return [said[order.index(number)] for number in range(len(questions))]


def by_generate(
    model: Any, tokenizer: Any, questions: Asked, ends: list[int], is_group: bool
) -> list[list[int]]:
    """Answer by `generate` in batches sorted by length; a row stops at its limit, a batch with its last."""
    from transformers import StoppingCriteria, StoppingCriteriaList

    from manus.models.generation.inputs import left_padded

    class Limits(StoppingCriteria):  # type: ignore[misc]
        def __init__(self, most: list[int], start: int) -> None:
            self.most_B, self.start = torch.tensor(most), start

        def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            return input_ids.shape[1] - self.start >= self.most_B

    order = sorted(range(len(questions)), key=lambda number: len(questions[number][0]))
    said: dict[int, list[int]] = {}
    rows = len(questions) if is_group else ROWS
    for first in range(0, len(order), rows):
        batch = order[first : first + rows]
        inputs = left_padded([questions[n][0] for n in batch], tokenizer.pad_token_id, model.device)
        start = inputs["input_ids"].shape[1]
        most = [questions[n][1] for n in batch]
        with torch.inference_mode():
            made = model.generate(
                **inputs,
                do_sample=False,
                num_beams=1,
                repetition_penalty=1.0,
                max_new_tokens=max(most),
                max_length=None,
                eos_token_id=ends,
                pad_token_id=tokenizer.pad_token_id,
                stopping_criteria=StoppingCriteriaList([Limits(most, start)]),
            )
        for n, row in zip(batch, made[:, start:].tolist(), strict=True):
            end = next((place for place, token in enumerate(row) if token in ends), len(row))
            said[n] = row[: min(end + 1, questions[n][1])]
    return [said[number] for number in range(len(questions))]


def by_continuous_batching(
    model: Any, tokenizer: Any, questions: Asked, ends: list[int], is_group: bool
) -> list[list[int]]:
    """Answer by transformers' continuous batching; it has one limit for all."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=max(most for _, most in questions),
        eos_token_id=ends,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.inference_mode():
        made = model.generate_batch(
            [ids for ids, _ in questions],
            generation_config=config,
            progress_bar=False,
            continuous_batching_config=ContinuousBatchingConfig(
                num_blocks=BLOCKS, max_batch_tokens=BATCH_TOKENS
            ),
        )
    if errors := [output.error for output in made.values() if output.error]:
        raise SystemExit(errors[0])
    answers = [output.generated_tokens for output in made.values()]
    return [answer[:most] for answer, (_, most) in zip(answers, questions, strict=True)]


WAYS: dict[str, Callable[..., list[list[int]]]] = {
    "engine": by_engine,
    "generate": by_generate,
    "continuous": by_continuous_batching,
}


def side(name: str, kind: str, count: int, base: Path) -> None:
    """Answer once in this process and print what it took."""
    from manus.models.generation.settings import ends_of_turn
    from manus.models.loading.composition import load_model
    from manus.models.loading.precision import device, held_dtype, precision_of
    from manus.models.tokenizer import load_tokenizer

    model, tokenizer = (
        load_model(base, held_dtype(precision_of("auto"))).to(device()).eval(),
        load_tokenizer(base),
    )
    questions, ends = asked(kind, count, tokenizer), ends_of_turn(model, tokenizer)
    with torch.no_grad():
        model(
            torch.tensor([questions[0][0][:8]], device=model.device)
        )  # what a first pass warms up does not count
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    said = WAYS[name](model, tokenizer, questions, ends, kind == "group")
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
                "tokens": sum(map(len, said)),
                "longest": max(map(len, said)),
                "shortest": min(map(len, said)),
                "grown_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6,
                "said": said,
            }
        )
    )


def measured(name: str, kind: str, count: int, base: Path) -> dict[str, Any] | str:
    """Run one side in a process of its own; return its figures, or why it has none."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.answers",
        "--side",
        name,
        "--asks",
        kind,
        "--base",
        str(base),
    ]
    command += ["--questions", str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def main() -> None:
    """Print a table of seconds and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, default=ROOT / "results/quickstart/base")
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--asks", nargs="+", choices=ASKS, default=ASKS)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--side", choices=SIDES)
    given = parser.parse_args()
    if given.side:
        side(given.side, given.asks[0], given.questions, given.base)
        return
    for kind in given.asks:
        runs: dict[str, list[Any]] = {name: [] for name in given.sides}
        for _ in range(given.repeats):
            for name in given.sides:
                runs[name].append(measured(name, kind, given.questions, given.base))
        first = runs[given.sides[0]]
        for name, found in runs.items():
            failed = [figures for figures in found if isinstance(figures, str)]
            if failed:
                print(f"{kind:8} {name:11} cannot: {failed[0]}")
                continue
            seconds, cpu, grown = (
                median(one[key] for one in found) for key in ("seconds", "cpu", "grown_mb")
            )
            ratio = median(one["cpu"] for one in first) / cpu
            alike = sum(a == b for a, b in zip(found[0]["said"], first[0]["said"], strict=True))
            print(
                f"{kind:8} {name:11} {seconds:7.1f} s  {cpu:7.1f} s of processor  {ratio:5.2f}x  "
                f"+{grown:5.0f} MB  "
                f"{found[0]['tokens']} tokens, answers of {found[0]['shortest']} to {found[0]['longest']}, "
                f"{alike}/{len(found[0]['said'])} as {given.sides[0]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
