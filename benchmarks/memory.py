"""Peak memory and speed of preparing files of several sizes, and training on them: flat, however large.

    python benchmarks/memory.py [BASE_FOLDER] [--megabytes 10 1000 8000]
        [--kind chat|text|log|pairs|prompts|pictures] [--processes 1 2] [--write]

Preparing and training run in processes of their own, for each size. A peak is the sum over a process and its
workers, shared pages counted once (PSS): for preparing, up to the last of some rows read in shuffled order;
for training, over a few steps from the middle of a shuffled epoch, by a pico model, so that nearly all of it
is Manus, torch and the data.

Of pictures, `--megabytes` counts thousands of rows with one picture each, which are not trained on here; nor
are pairs and prompts. `--index-above-bytes 0` indexes data of any size.

Without a base, words are tokens: a tokenizer as cheap as can be, for sizes that would take an hour with a
real one. Then longer words, by `--letters 40 80`, make less work of as many bytes still.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from tables import write_table

ROOT = Path(__file__).parents[1]
SECONDS_BETWEEN_LOOKS = 1.0
ROWS_READ = 20_000
STEPS_TRAINED = 20
MEGABYTE = 1_000_000
MAX_LENGTH = 1024


def words_of(draw: random.Random, letters: Sequence[int]) -> list[str]:
    """Return the words that all texts are made of, by their shortest and longest length."""
    return [
        "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(*letters))) for _ in range(5000)
    ]


def word_base(folder: Path, letters: Sequence[int]) -> Path:
    """Save a pico model whose tokens are words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    sys.path.append(str(ROOT))
    from tests.pico import TEMPLATE

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "user", "assistant", "[UNK]"]
    vocabulary = {
        word: number
        for number, word in enumerate(dict.fromkeys([*special, *words_of(random.Random(0), letters)]))
    }
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.add_special_tokens(special[:3])
    words = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )
    words.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def write_data(path: Path, size: int, kind: str, letters: Sequence[int]) -> None:
    """Write rows of chats or texts as JSONL, or one line that never ends."""
    draw = random.Random(0)
    words = words_of(draw, letters)
    texts = [" ".join(draw.choices(words, k=draw.randint(20, 120))) for _ in range(4000)]
    written = number = 0
    if kind == "pictures":
        write_pictures(path, size // MEGABYTE * 1000, texts)
        return
    with path.open("w", encoding="utf-8") as stream:
        while written < size:
            asked, said = draw.choice(texts), f"{draw.choice(texts)} {draw.choice(texts)} \\boxed{{{number}}}"
            if kind == "log":
                row = f"{number} {asked} {said}; "
            elif kind == "text":
                row = json.dumps({"text": f"{number} {asked} {said}"}) + "\n"
            elif kind == "pairs":
                row = (
                    json.dumps(
                        {"prompt": f"{number} {asked}", "chosen": said, "rejected": draw.choice(texts)}
                    )
                    + "\n"
                )
            elif kind == "prompts":
                row = json.dumps({"question": f"{number} {asked}", "answer": str(number)}) + "\n"
            else:
                turns = [
                    {"role": "user", "content": f"{number} {asked}"},
                    {"role": "assistant", "content": said},
                ]
                row = json.dumps({"messages": turns}) + "\n"
            written += stream.write(row)
            number += 1


def write_pictures(path: Path, count: int, texts: Sequence[str]) -> None:
    """Write a folder of small PNG files, and rows that name one each."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(0)
    folder = path.parent / f"{path.stem}-seen"
    folder.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            Image.fromarray(draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"{number}.png")
            asked = {"question": f"{number} {texts[number % len(texts)]}", "answer": str(number)}
            stream.write(json.dumps({"image": f"{folder.name}/{number}.png", **asked}) + "\n")


def kind_of(file: Path) -> str:
    """Return which kind of data a file of this benchmark holds."""
    return file.name.split("-")[0]


def prepare_and_read(
    base: Path, file: Path, processes: int, folder: Path, index_above_bytes: int = 250_000_000
) -> dict[str, Any]:
    """Prepare a file, read some of it in shuffled order, and return what was measured."""
    from manus.capabilities import cot
    from manus.data.forms.media import as_media_messages
    from manus.data.forms.messages import as_messages, as_text
    from manus.data.forms.pairs import read_pair
    from manus.data.forms.prompts import read_prompt
    from manus.data.order.shuffle import Permutation
    from manus.data.preparation import in_shards as large_preparation
    from manus.data.preparation.choosing import prepare
    from manus.data.prepared.samples import PAIRS, PROMPTS, open_samples, read_arrow
    from manus.data.sample import PLACEHOLDERS, SampleKind
    from manus.data.settings import DataSettings, Source
    from manus.models.omni.layout import MediaLayout
    from manus.models.tokenizer import load_tokenizer

    large_preparation.processors = lambda: processes  # type: ignore[assignment]
    forms: dict[str, tuple[SampleKind, Any]] = {
        "chat": ("messages", cot.read),
        "text": ("text", as_text),
        "log": ("text", as_text),
        "pairs": ("preference", lambda row: read_pair(row, as_messages)),
        "prompts": ("prompt", lambda row: read_prompt(row, as_messages, lambda sample: True)),
        "pictures": ("messages", as_media_messages),
    }
    kind, read = forms[kind_of(file)]
    layout = MediaLayout(grid=(2, 2)) if kind_of(file) == "pictures" else None
    (folder / "out").mkdir()
    settings = DataSettings(held_out=200, max_length=MAX_LENGTH, index_above_bytes=index_above_bytes)
    tokenizer = load_tokenizer(base)
    tokenizer.add_special_tokens({"additional_special_tokens": list(PLACEHOLDERS.values())} if layout else {})
    began = time.monotonic()
    told = prepare(
        [Source(path=str(file))],
        settings,
        read,
        kind,
        tokenizer,
        folder,
        0,
        folder / "out",
        folder / "work",
        layout,
    )
    prepared = time.monotonic() - began
    tables = {"preference": PAIRS, "prompt": PROMPTS}
    samples: Any = (
        read_arrow(folder / "out", tables[kind]) if kind in tables else open_samples(folder / "out")
    )
    order, began = Permutation(len(samples), 0, "epoch", 0), time.monotonic()
    for place in range(min(ROWS_READ, len(samples))):
        samples[order[place]]
    read = time.monotonic() - began
    return {
        "seconds": prepared,
        "microseconds_per_sample": 1e6 * read / min(ROWS_READ, len(samples)),
        "tokens": told["tokens"],
        "is_indexed": "shards" in told,
    }


def train_from_the_middle(base: Path, folder: Path) -> dict[str, Any]:
    """Train some steps on prepared data from the middle of the epoch on."""
    from resume import train

    from manus.training.batches import order

    begin = order.ShuffledBatches.__iter__

    def from_the_middle(batches: order.ShuffledBatches) -> Any:
        batches.begin = len(batches) // 2
        return begin(batches)

    order.ShuffledBatches.__iter__ = from_the_middle  # type: ignore[method-assign]
    train(base, folder / "out", folder / "run", STEPS_TRAINED, time.time(), MAX_LENGTH)
    return {}


def memory_of(process: psutil.Process) -> int:
    """Return the memory of a process and those below it now, shared pages counted once."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += one.memory_full_info().pss
    return total


def watched(command: list[str], folder: Path) -> tuple[dict[str, Any], int]:
    """Run a part of the benchmark in a process of its own; return what it measured, and its peak in bytes.

    Raises:
        SystemExit: it failed.
    """
    environment = {
        **os.environ,
        "MANUS_CACHE_DIR": f"{folder}/cache",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": f"{folder}/state",
    }
    with (folder / "errors").open("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, __file__, *command, "--folder", str(folder)],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
        )
        peak = 0
        while child.poll() is None:
            peak = max(peak, memory_of(psutil.Process(child.pid)))
            time.sleep(SECONDS_BETWEEN_LOOKS)
        assert child.stdout is not None
        lines = child.stdout.read().splitlines()
        if child.returncode:
            errors.seek(0)
            raise SystemExit("\n".join([*lines[-5:], errors.read()[-3000:]]))
    return json.loads(lines[-1]), peak


def measured(
    base: Path,
    megabytes: int,
    kind: str,
    processes: int,
    place: Path,
    index_above: int,
    letters: Sequence[int],
) -> dict[str, Any]:
    """Measure one size."""
    file = place / f"{kind}-{megabytes}.{'log' if kind == 'log' else 'jsonl'}"
    if not file.exists():
        write_data(file, megabytes * MEGABYTE, kind, letters)
    with tempfile.TemporaryDirectory(dir=place) as name:
        common = [str(base), "--index-above-bytes", str(index_above), "--processes", str(processes)]
        found, prepared_peak = watched([*common, "--child", str(file)], Path(name))
        is_trained = kind in ("chat", "text", "log")
        trained_peak = watched([*common, "--train"], Path(name))[1] if is_trained else 0
    return {**found, "prepared_peak": prepared_peak, "trained_peak": trained_peak}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, nargs="?")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 1000])
    parser.add_argument(
        "--kind", choices=["chat", "text", "log", "pairs", "prompts", "pictures"], default="chat"
    )
    parser.add_argument(
        "--letters", type=int, nargs=2, default=[2, 9], help="of the shortest and the longest word"
    )
    parser.add_argument("--processes", type=int, nargs="+", default=[2])
    parser.add_argument("--folder", type=Path, help="where files go, and data of an earlier run are found")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--index-above-bytes", type=int, default=250_000_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/BENCHMARKS.md")
    given = parser.parse_args()
    above = given.index_above_bytes
    if given.child:
        print(json.dumps(prepare_and_read(given.base, given.child, given.processes[0], given.folder, above)))
        return
    if given.train:
        print(json.dumps(train_from_the_middle(given.base, given.folder)))
        return
    lines = [
        "| kind | tokens | MB | processes | indexed "
        "| preparing: peak MB | s | MB/s | us per sample | training: peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    words = (
        " (words)"
        if given.letters == [2, 9]
        else f" (words of {given.letters[0]} to {given.letters[1]} letters)"
    )
    with contextlib.ExitStack() as stack:
        place = given.folder or stack.enter_context(tempfile.TemporaryDirectory())
        base = given.base or word_base(Path(place) / "base", given.letters)
        for megabytes in given.megabytes:
            for processes in given.processes:
                found = measured(base, megabytes, given.kind, processes, Path(place), above, given.letters)
                lines.append(
                    f"| {given.kind} | {found['tokens'] / 1e6:.1f} M{'' if given.base else words} "
                    f"| {megabytes} | {processes} | {'yes' if found['is_indexed'] else 'no'} "
                    f"| {found['prepared_peak'] / MEGABYTE:.0f} | {found['seconds']:.1f} "
                    f"| {megabytes / found['seconds']:.1f} | {found['microseconds_per_sample']:.0f} "
                    f"| {found['trained_peak'] / MEGABYTE if found['trained_peak'] else float('nan'):.0f} |"
                )
                print(lines[-1], flush=True)
    if given.write:
        write_table("memory", "\n".join(lines))


if __name__ == "__main__":
    main()
