"""Tears, mixes up and forges what a user may give or find, and asks the command line about it, case by case.

    python benchmarks/fuzz.py [--minutes 30] [--seed 0] [--only config.json] [--case 17]

A finished run of a pico model is made on the spot. Each case changes one of its files (configurations,
tokenizer files, weights, manifests, plan.json, recipes, rows in five formats), and gives some commands to it.
Each command runs in a copy of this process that has imported everything, so that a case takes a fraction of a
second. It must end with exit code 0 or 2 and, with 2, name the file; no traceback, no unexpected error, no
more than CPU_SECONDS, no process or connection that the unharmed run does not have, and every file of the
user's as it was. Prints what breaks one of these, each kind once.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CPU_SECONDS = 45.0  # a chat template may take 20
WALL_SECONDS = 300.0
WATCHED = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system", "socket.connect")
RECIPE = """\
base_model: base
defaults: {batch_size: 8, held_out: 4, max_length: 64, epochs: 1, learning_rate: 5e-3, precision: fp32}
capabilities:
  - cot: {method: lora, data: [{path: first.jsonl}], probe: {max_new_tokens: 4}}
"""
ENDINGS = ("json", "csv", "parquet", "jsonl.gz")
ROWS = (
    "base_model: base\ndefaults: {{held_out: 2, max_length: 64, epochs: 1}}\n"
    "capabilities:\n  - cot: {{data: [{{path: rows.{0}}}]}}\n"
)
MINE = (
    "results/r/merged/mine.txt",
    "results/notes/mine.txt",
    "results/.store/mine/mine.txt",
    "results/r/mine.txt",
)
ASKED = [
    ["validate", "r.yaml"],
    ["validate", "r.yaml", "--json"],
    ["plan", "r.yaml"],
    ["plan", "r.yaml", "--json"],
    ["why", "r.yaml", "cot"],
    ["status"],
    ["gc", "results"],
    ["gc", "results", "--yes"],
    ["detect", "base"],
    ["data", "r.yaml", "cot"],
    ["build", "r.yaml", "detect/detected"],
    ["build", "r.yaml", "data/cot"],
    ["detect", "results/r/merged"],
]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None  # None: it did not
    output: str
    seconds: float
    events: list[str]


@dataclass
class Findings:
    """What was wrong, each kind once, with how often it was met."""

    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, told: str) -> None:
        """Count something wrong; print it when it is new."""
        self.kinds[kind] += 1
        if self.kinds[kind] == 1:
            print(f"\n--- {kind}\n{told}", flush=True)


def make_product(folder: Path) -> None:
    """Write bases, rows and recipes, and run one of them to its end."""
    import gzip
    import json

    import pandas

    from tests.pico import pretrained, rows, write_rows

    folder.mkdir()
    pretrained(folder / "base", 0)
    some = rows("first", 40)
    write_rows(folder / "first.jsonl", some)
    (folder / "r.yaml").write_text(RECIPE)
    pairs = [
        {
            "prompt": one["messages"][0]["content"],  # type: ignore[index]
            "completion": one["messages"][1]["content"],  # type: ignore[index]
        }
        for one in some[:12]
    ]
    (folder / "rows.json").write_text(json.dumps(some[:12]))
    pandas.DataFrame(pairs).to_csv(folder / "rows.csv", index=False)
    pandas.DataFrame(pairs).to_parquet(folder / "rows.parquet")
    (folder / "rows.jsonl.gz").write_bytes(
        gzip.compress("".join(json.dumps(row) + "\n" for row in some[:12]).encode())
    )
    for ending in ENDINGS:
        (folder / f"{ending.replace('.', '-')}.yaml").write_text(ROWS.format(ending))
    done = asked(folder, ["merge", "r.yaml"])
    assert done.code == 0, done.output
    for name in MINE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")


def asked(folder: Path, words: Sequence[str]) -> Ended:
    """Give a command to a copy of this process, in a folder, and wait for it."""
    import psutil

    out, told = folder / ".output", folder / ".events"
    began = time.monotonic()
    child = os.fork()
    if not child:
        _become(folder, words, out, told)
    process, code, seconds = psutil.Process(child), None, 0.0
    while time.monotonic() - began < WALL_SECONDS and seconds < CPU_SECONDS:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        with suppress(psutil.Error):
            seconds = sum(process.cpu_times()[:2])
        time.sleep(0.01)
    else:
        process.kill()
        os.waitpid(child, 0)
    output, events = (path.read_text(errors="replace") if path.exists() else "" for path in (out, told))
    for path in (out, told):
        path.unlink(missing_ok=True)
    return Ended(code, output, seconds, events.splitlines())


def _become(folder: Path, words: Sequence[str], out: Path, told: Path) -> None:
    """Be the command, and end."""
    code = 99
    try:
        os.chdir(folder)
        os.setsid()
        stream = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(stream, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(XDG_CACHE_HOME=str(folder / ".cache"), XDG_STATE_HOME=str(folder / ".state"))
        os.environ.update(MANUS_CACHE_DIR=str(folder / ".cache" / "data"))
        events = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def hook(name: str, values: tuple[Any, ...]) -> None:
            if name in WATCHED:
                what = values[1] if name == "socket.connect" else values[0]
                os.write(
                    events, f"{name} {Path(str(what)).name if name != 'socket.connect' else what}\n".encode()
                )

        sys.addaudithook(hook)
        sys.argv = ["manus", *words]
        from manus.cli.main import main

        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def targets(folder: Path) -> list[str]:
    """Return the files that are harmed, by their places in the product."""
    base = (
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    )
    found = [f"base/{name}" for name in (*base, "model.safetensors") if (folder / "base" / name).exists()]
    found += ["r.yaml", "r.yaml", "first.jsonl", "results/r/plan.json", "results/r/plan.json"]
    found += [f"rows.{ending}" for ending in ENDINGS]
    stored = sorted(
        path.relative_to(folder).as_posix() for path in (folder / "results" / ".store").glob("*/*.json*")
    )
    shown = sorted(
        path.relative_to(folder).as_posix() for path in (folder / "results" / "r").rglob("*.json*")
    )
    return [*found, *stored, *(name for name in shown if not name.endswith("plan.json"))]


def harmed(draw: random.Random, name: str, content: bytes) -> bytes:
    """Return a file's content with something wrong in it."""
    import json

    import yaml

    from tests.unit.test_fuzz import mutated, mutated_value

    if name.endswith(".yaml") and draw.random() < 0.6:
        value = yaml.safe_load(content)
        for _ in range(draw.randint(1, 3)):
            value = mutated_value(draw, value)
        with suppress(yaml.YAMLError, UnicodeEncodeError):
            return yaml.safe_dump(value, allow_unicode=True).encode()
    lines = content.splitlines()
    if name.endswith(".jsonl") and lines and draw.random() < 0.6:
        for _ in range(draw.randint(1, 4)):
            index = draw.randrange(len(lines))
            lines[index] = json.dumps(mutated_value(draw, json.loads(lines[index]))).encode()
        return b"\n".join(lines) + b"\n"
    return mutated(draw, content)


def commands(draw: random.Random, name: str) -> list[list[str]]:
    """Return what is asked of a product in which a file was harmed."""
    if name.startswith("rows."):
        recipe = f"{name.removeprefix('rows.').replace('.', '-')}.yaml"
        return [["validate", recipe], ["data", recipe, "cot"], ["new", "--data", name, "-o", "made.yaml"]]
    if name == "first.jsonl":
        return [["data", "r.yaml", "cot"], *draw.sample(ASKED, 1), ["new", "--data", name, "-o", "made.yaml"]]
    return draw.sample(ASKED, 3)


def of_the_user(folder: Path) -> dict[str, bytes]:
    """Return the content of what is the user's, by place."""
    own = [*folder.glob("*.*"), *(folder / "base").iterdir(), *(folder / name for name in MINE)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in own if path.is_file()}


def judge(
    name: str, words: Sequence[str], ended: Ended, usual: set[str], findings: Findings, case: str
) -> None:
    """Note what is wrong with how a command ended."""
    told = (
        f"{case}: {name}: manus {' '.join(words)}: {ended.code}, {ended.seconds:.1f} s\n"
        f"{ended.output[-1500:]}"
    )
    last = re.sub(r"[\d'\"]+.*", "", next(reversed(ended.output.strip().splitlines()), ""))[:80]
    if ended.code is None:
        findings.add(f"does not end: {name} {words[0]}", told)
    elif ended.code not in (0, 2):
        findings.add(f"exit code {ended.code}: {last}", told)
    elif "Traceback" in ended.output or ("unexpected" in ended.output and "your fault" in ended.output):
        findings.add(f"traceback: {last}", told)
    elif (
        ended.code == 2 and Path(name).name not in ended.output and str(Path(name).parent) not in ended.output
    ):
        findings.add(f"names no file: {Path(name).name}: {last}", told)
    for event in set(ended.events) - usual:
        findings.add(f"foreign: {event}", told)


def main() -> None:
    """Make a product, and harm it until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="harm only files whose place holds this")
    parser.add_argument(
        "--product", type=Path, help="the finished run, which is made there if it is not there yet"
    )
    parser.add_argument("--case", type=int, help="this case alone")
    given = parser.parse_args()
    os.environ.update(
        HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", TQDM_DISABLE="1", TOKENIZERS_PARALLELISM="false"
    )
    sys.path.insert(0, str(ROOT))
    import transformers  # noqa: F401  copies of this process need not import it again

    import manus.cli.main  # noqa: F401

    findings, count = Findings(), 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        product, folder = given.product or Path(place) / "product", Path(place) / "case"
        if not product.exists():
            make_product(product)
        names = [name for name in targets(product) if given.only in name]
        usual: set[str] = set()
        shutil.copytree(product, folder, symlinks=True)
        rows = [command for ending in ENDINGS for command in commands(random.Random(0), f"rows.{ending}")[:2]]
        for words in [*ASKED, *rows]:
            done = asked(folder, words)
            usual |= set(done.events)
            assert done.code == 0, (words, done.output)
        print(f"{len(names)} files; usual: {sorted(usual)}", flush=True)
        codes: Counter[str] = Counter()
        until = time.monotonic() + given.minutes * 60
        numbers = iter([given.case]) if given.case is not None else iter(range(10**9))
        for number in numbers:
            if time.monotonic() > until:
                break
            draw = random.Random(f"{given.seed}:{number}")
            name = draw.choice(names)
            shutil.rmtree(folder)
            shutil.copytree(product, folder, symlinks=True)
            content = harmed(draw, name, (product / name).read_bytes())
            (folder / name).unlink()
            (folder / name).write_bytes(content)
            before = of_the_user(folder)
            for words in commands(draw, name):
                done = asked(folder, words)
                codes[str(done.code)] += 1
                case = f"seed {given.seed}, case {number}"
                judge(name, words, done, usual, findings, case)
                after = of_the_user(folder)
                for path in before:
                    if after.get(path) != before[path]:
                        findings.add(f"changed or gone: {path} by {words[0]}", f"{case}: {name}: {words}")
            count += 1
    print(
        f"{count} cases, exit codes {dict(codes)}; "
        f"{sum(findings.kinds.values())} findings of {len(findings.kinds)} kinds"
    )
    for kind, times in findings.kinds.most_common():
        print(f"{times:5} {kind}")
    sys.exit(bool(findings.kinds))


if __name__ == "__main__":
    main()
