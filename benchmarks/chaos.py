"""Sends signals at random to random processes of whole runs, and compares results with undisturbed ones.

    python benchmarks/chaos.py [--kills 30] [--seed 0] [--recipe five live seeing]

Pico models and data, made on the spot. SIGKILL, SIGTERM, SIGINT, or SIGUSR1 (a pause) with SIGUSR2 soon
after, go to Snakemake, to a job, to a process beside a job, or to all of them. What ends is started again, at
once or when all of it is gone. The same seed draws the same signals; where they meet the run depends on the
machine's speed.

Prints each signal and whom it met. The verdict is "as undisturbed" when every file of every artifact has the
same bits, nothing was printed that should not be (a traceback, an unexpected error), nothing stood still and
no process was left; otherwise it says what is not so and exits with 1. Verifiers of rewards are left alone:
one that dies counts as 0.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 15.0  # between two signals
PAUSE_SECONDS = 0.5
SECONDS_TO_END = 120.0  # for what is left of a run when its Snakemake has ended
STANDSTILL_SECONDS = 300.0  # without a second of processor time
BAD_WORDS = ("Traceback", "unexpected", "not your fault")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
MARK = "MANUS_CHAOS"  # in the environment of all processes of a run
HEAD = (
    "base_model: {base}\n"
    "defaults: {{batch_size: 8, learning_rate: 5e-3, held_out: 20, max_length: {length}, precision: fp32, "
    "epochs: {epochs}}}\n"
    "guards: {{checkpoint_every_steps: 10, cooldown_every_steps: 0, decoding_processes: 2}}\n"
    "capabilities:\n"
)
STAGE = (
    "  - {capability}: {{name: {name}, method: {method}, data: [{{{data}}}], "
    "probe: {{max_new_tokens: 12}}{more}}}\n"
)
Stages = list[tuple[str, str, str, str, str]]
STAGES: dict[str, Stages] = {
    "five": [
        ("cot", "one", "lora", "path: first.jsonl", ", dropout: 0.1"),
        ("reasoning", "two", "sft", "path: middle.jsonl", ", learning_rate: 1e-3, packing: true"),
        ("cot", "three", "dora", "path: last.jsonl", ", gradient_accumulation: 2"),
        ("reasoning", "four", "qlora", "path: first.jsonl", ", packing: true"),
        ("cot", "five", "lora", "path: middle.jsonl", ", warmup: 0.3"),
    ],
    "live": [  # rows that are read by a process beside the training, and pairs
        ("cot", "read", "lora", "path: first.jsonl", ", dropout: 0.1, prepare: never"),
        ("cot", "prefer", "dpo", "path: pairs.jsonl", ", adapter: lora, learning_rate: 1e-3"),
    ],
    "seeing": [  # pictures that are decoded by two processes beside the training
        ("vision-qa", "see", "lora", "generator: scenes, size: 80", ", cache_features: false"),
    ],
}
EPOCHS = {"five": 8, "live": 8, "seeing": 12}
LENGTHS = {"five": 64, "live": 64, "seeing": 512}


def recipe(name: str) -> str:
    """Return the text of a recipe."""
    head = HEAD.format(
        base="made/omni" if name == "seeing" else "base", length=LENGTHS[name], epochs=EPOCHS[name]
    )
    names = ("capability", "name", "method", "data", "more")
    return head + "".join(STAGE.format(**dict(zip(names, stage, strict=True))) for stage in STAGES[name])


def make_inputs(folder: Path) -> None:
    """Write base models, data and recipes."""
    sys.path.insert(0, str(ROOT))
    from tests.pico import pairs, pretrained, rows, write_rows
    from tests.pico_omni import with_senses

    folder.mkdir()
    base = pretrained(folder / "base")
    with_senses(base, folder / "made")
    for place in ("first", "middle", "last"):
        write_rows(folder / f"{place}.jsonl", rows(place, 180))
    write_rows(folder / "pairs.jsonl", pairs("first", 180))
    for name in STAGES:
        (folder / f"{name}.yaml").write_text(recipe(name))


def start(folder: Path, name: str, mark: str) -> subprocess.Popen[bytes]:
    """Start a recipe, as a user in the folder does, in a session of its own."""
    own = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state"), MARK: mark}
    own["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    )  # this checkout
    with (folder / f"{name}.txt").open("ab") as log:
        return subprocess.Popen(
            [
                str(BIN / "snakemake"),
                "-s",
                str(ROOT / "Snakefile"),
                "--cores",
                "1",
                "--config",
                f"recipe={name}.yaml",
            ],
            cwd=folder,
            env={**os.environ, **own, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            start_new_session=True,
            stdout=log,
            stderr=log,
        )


def living(mark: str) -> list[psutil.Process]:
    """Return the processes of the runs with a mark."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def title(process: psutil.Process) -> str:
    """Return what a process is: Snakemake, a job by its kind, or one beside a job; empty if not to be met."""
    with suppress(psutil.Error):
        words = process.cmdline()
        if any("manus.rewards.worker" in word for word in words):
            return ""
        if any(word.endswith("/snakemake") for word in words):
            return "Snakemake"
        if "build" in words and "manus" in words:
            return next(
                (word.split("/")[0] for word in words if word.count("/") == 1 and word[0].isalpha()), "job"
            )
        return "beside a job"
    return ""


def seconds_of(processes: list[psutil.Process]) -> float:
    """Return the processor time that processes have used."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:2])
    return total


def sent(draw: random.Random, run: subprocess.Popen[bytes], mark: str) -> str:
    """Send a drawn signal to drawn processes of a run; say which and to whom."""
    number, chance, place = draw.choice(SIGNALS), draw.random(), draw.random()
    processes = sorted(living(mark), key=lambda process: process.pid)
    by_title: dict[str, list[psutil.Process]] = {}
    for process in processes:
        if name := title(process):
            by_title.setdefault(name, []).append(process)
    if not by_title:
        return ""
    if chance < 0.25:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, number)
        met, victims = "the group", []
    else:
        met = sorted(by_title)[int(place * len(by_title))]
        victims = [by_title[met][int(chance * 1000) % len(by_title[met])]]
    for victim in victims:
        with suppress(psutil.Error):
            victim.send_signal(number)
    if number == signal.SIGUSR1:
        time.sleep(PAUSE_SECONDS)
        with suppress(psutil.Error, ProcessLookupError):
            victims[0].send_signal(signal.SIGUSR2) if victims else os.killpg(run.pid, signal.SIGUSR2)
    return f"{number.name} to {met}"


def problems(log: Path) -> Iterator[str]:
    """Yield the lines of a run's output that it should not print."""
    for line in log.read_text(errors="replace").splitlines():
        if any(word in line for word in BAD_WORDS):
            yield f"{log.name}: {line}"


def ended(run: subprocess.Popen[bytes], mark: str, seconds: float | None) -> bool:
    """Wait for a run for some seconds, or until it ends; tell whether it did.

    Raises:
        TimeoutError: it stands still.
    """
    until = None if seconds is None else time.monotonic() + seconds
    moved_at, used = time.monotonic(), seconds_of(living(mark))
    while run.poll() is None:
        if until is not None and time.monotonic() >= until:
            return False
        time.sleep(0.2)
        if time.monotonic() - moved_at > STANDSTILL_SECONDS:
            now = seconds_of(living(mark))
            if abs(now - used) < 1:
                raise TimeoutError(f"it stands still: {[(p.pid, title(p)) for p in living(mark)]}")
            moved_at, used = time.monotonic(), now
    return True


def gone(mark: str) -> bool:
    """Wait for all processes of a run to end; tell whether they did."""
    until = time.monotonic() + SECONDS_TO_END
    while living(mark) and time.monotonic() < until:
        time.sleep(0.2)
    return not living(mark)


def results(folder: Path, name: str) -> dict[str, str]:
    """Return the sha256 of each file that a recipe shows, but for what has times: manifests, logs, report."""
    shown = folder / "results" / name
    told = ("logs", ".built", ".snakemake")
    return {
        str(path.relative_to(shown)): hashlib.sha256(SECONDS.sub(b"", path.read_bytes())).hexdigest()
        for path in sorted(shown.rglob("*"))
        if path.is_file() and not set(path.relative_to(shown).parts) & set(told) and path.name not in UNLIKE
    }


SECONDS = re.compile(rb'"seconds": [0-9.e+-]+')  # what evaluations took
UNLIKE = ("manifest.json", "plan.json", "report.html", "README.md")


def disturbed(folder: Path, name: str, kills: int, draw: random.Random, met: Counter[str]) -> list[str]:
    """Run a recipe to its end with at most so many signals; return what is wrong."""
    mark, sent_before = uuid4().hex, sum(met.values())
    while True:
        run, count = start(folder, name, mark), 0
        while sum(met.values()) - sent_before < kills:
            if ended(run, mark, draw.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)):
                break
            if what := sent(draw, run, mark):
                met[what] += 1
                count += 1
                print(f"  {time.strftime('%H:%M:%S')} {name}: {what}", flush=True)
        ended(run, mark, None)
        if run.returncode == 0:
            break
        if not count:
            return [f"it ended with {run.returncode} and met no signal; see {folder / name}.txt"]
        if draw.random() < 0.5 and not gone(mark):
            return [f"left behind: {[(process.pid, title(process)) for process in living(mark)]}"]
    left = (
        [] if gone(mark) else [f"left behind: {[(process.pid, title(process)) for process in living(mark)]}"]
    )
    return [*left, *problems(folder / f"{name}.txt")]


def main() -> None:
    """Run undisturbed, run disturbed, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30, help="how many signals to send, over all recipes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--keep", action="store_true", help="leave the folder of both runs behind")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    draw, met, wrong = random.Random(given.seed), Counter[str](), list[str]()
    place = Path(tempfile.mkdtemp(prefix="chaos-"))
    calm, wild = place / "calm", place / "wild"
    make_inputs(calm)
    shutil.copytree(calm, wild)
    for name in given.recipe:
        run = start(calm, name, uuid4().hex)
        assert run.wait() == 0, (calm / f"{name}.txt").read_text()
        print(f"{name}: {len(results(calm, name))} files undisturbed", flush=True)
    rounds = 0
    while sum(met.values()) < given.kills and not wrong:
        name = given.recipe[rounds % len(given.recipe)]
        rounds += 1
        wrong = disturbed(wild, name, given.kills - sum(met.values()), draw, met)
        one, other = results(calm, name), results(wild, name)
        wrong += [f"{file} differs" for file in sorted({*one, *other}) if one.get(file) != other.get(file)]
        print(
            f"round {rounds}, {name}: {sum(met.values())} signals so far; {wrong or 'as undisturbed'}",
            flush=True,
        )
        if not wrong:
            shutil.rmtree(wild / "results")
            (wild / f"{name}.txt").unlink()
    for what, count in sorted(met.items()):
        print(f"{count:4} {what}")
    print(f"seed {given.seed}: " + ("; ".join([*wrong, f"see {place}"]) if wrong else "as undisturbed"))
    if not wrong and not given.keep:
        shutil.rmtree(place)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
