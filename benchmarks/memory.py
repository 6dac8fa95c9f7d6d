"""Peak memory and speed of preparing files of several sizes: flat, where the file grows a hundredfold.

    python benchmarks/memory.py BASE_FOLDER [--megabytes 10 1000 8000] [--kind chat|text|log] [--processes 1 2] [--write]

Each size runs in a process of its own. The peak is the sum over the process and its workers, shared pages counted once
(PSS), from the first row to the last of an epoch read in shuffled order.
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
from pathlib import Path
from typing import Any

import psutil
from tables import write_table

SECONDS_BETWEEN_LOOKS = 0.25
ROWS_READ = 20_000
MEGABYTE = 1_000_000


def write_data(path: Path, size: int, kind: str) -> None:
    """Write rows of chats or texts as JSONL, or one line that never ends."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(5000)]
    texts = [" ".join(draw.choices(words, k=draw.randint(20, 120))) for _ in range(4000)]
    written = number = 0
    with path.open("w", encoding="utf-8") as stream:
        while written < size:
            asked, said = draw.choice(texts), f"{draw.choice(texts)} {draw.choice(texts)} \\boxed{{{number}}}"
            if kind == "log":
                row = f"{number} {asked} {said}; "
            elif kind == "text":
                row = json.dumps({"text": f"{number} {asked} {said}"}) + "\n"
            else:
                turns = [{"role": "user", "content": f"{number} {asked}"}, {"role": "assistant", "content": said}]
                row = json.dumps({"messages": turns}) + "\n"
            written += stream.write(row)
            number += 1


def prepare_and_read(
    base: Path, file: Path, processes: int, folder: Path, index_above_bytes: int = 250_000_000
) -> dict[str, Any]:
    """Prepare a file, read some of it in shuffled order, and return what was measured."""
    from manus.capabilities import cot
    from manus.data import large_preparation
    from manus.data.forms import as_text
    from manus.data.preparation import prepare
    from manus.data.prepared import open_samples
    from manus.data.rendering import load_tokenizer
    from manus.data.settings import DataSettings, Source
    from manus.data.shuffle import Permutation

    large_preparation.processors = lambda: processes  # type: ignore[assignment]
    is_chat = "chat" in file.name
    (folder / "out").mkdir()
    settings = DataSettings(held_out=200, max_length=1024, index_above_bytes=index_above_bytes)
    tokenizer = load_tokenizer(base)
    began = time.monotonic()
    told = prepare(
        [Source(path=str(file))], settings, cot.read if is_chat else as_text, "messages" if is_chat else "text",
        tokenizer, folder, 0, folder / "out", folder / "work" / "quarantine.jsonl",
    )  # fmt: skip
    prepared = time.monotonic() - began
    samples = open_samples(folder / "out")
    order, began = Permutation(len(samples), 0, "epoch", 0), time.monotonic()
    for place in range(min(ROWS_READ, len(samples))):
        samples[order[place]]
    read = time.monotonic() - began
    return {
        "seconds": prepared, "microseconds_per_sample": 1e6 * read / min(ROWS_READ, len(samples)),
        "tokens": told["tokens"], "is_indexed": "shards" in told,
    }  # fmt: skip


def peak_bytes(process: psutil.Process) -> int:
    """Return the memory of a process and those below it now, shared pages counted once."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += one.memory_full_info().pss
    return total


def measured(base: Path, megabytes: int, kind: str, processes: int, place: Path, index_above: int) -> dict[str, Any]:
    """Run one size in a process of its own and watch it."""
    file = place / f"{kind}-{megabytes}.{'log' if kind == 'log' else 'jsonl'}"
    if not file.exists():
        write_data(file, megabytes * MEGABYTE, kind)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        command = [
            sys.executable, __file__, str(base), "--child", str(file), "--processes", str(processes), "--folder", folder,
            "--index-above-bytes", str(index_above),
        ]  # fmt: skip
        environment = {**os.environ, "MANUS_CACHE_DIR": f"{folder}/cache", "TOKENIZERS_PARALLELISM": "false"}
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
        peak = 0
        while child.poll() is None:
            peak = max(peak, peak_bytes(psutil.Process(child.pid)))
            time.sleep(SECONDS_BETWEEN_LOOKS)
        assert child.stdout is not None
        lines = child.stdout.read().splitlines()
        if child.returncode:
            raise SystemExit("\n".join(lines[-5:]))
    return {**json.loads(lines[-1]), "peak_bytes": peak}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 1000])
    parser.add_argument("--kind", choices=["chat", "text", "log"], default="chat")
    parser.add_argument("--processes", type=int, nargs="+", default=[2])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", type=Path)
    parser.add_argument("--index-above-bytes", type=int, default=250_000_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/BENCHMARKS.md")
    given = parser.parse_args()
    above = given.index_above_bytes
    if given.child:
        print(json.dumps(prepare_and_read(given.base, given.child, given.processes[0], given.folder, above)))
        return
    lines = [
        "| kind | MB | processes | indexed | peak MB | prepare s | MB/s | us per sample |",
        "|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        for megabytes in given.megabytes:
            for processes in given.processes:
                found = measured(given.base, megabytes, given.kind, processes, Path(place), above)
                lines.append(
                    f"| {given.kind} | {megabytes} | {processes} | {'yes' if found['is_indexed'] else 'no'} "
                    f"| {found['peak_bytes'] / MEGABYTE:.0f} | {found['seconds']:.1f} "
                    f"| {megabytes / found['seconds']:.1f} | {found['microseconds_per_sample']:.0f} |"
                )
                print(lines[-1], flush=True)
    if given.write:
        write_table("memory", "\n".join(lines))


if __name__ == "__main__":
    main()
