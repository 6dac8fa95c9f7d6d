"""Files torn, mixed up or forged, drawn by a seed: each is read, or refused in one line. Nothing hangs."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import cot
from manus.data.sample import RowError, of_any_row
from manus.data.sources.rows import rows_in
from manus.data.tokens.rendering import render
from manus.errors import InputError
from manus.models.base import find_base
from manus.models.detection.detect import detect
from manus.models.native.recognising import has_own_senses
from manus.models.senses.settings import senses_in
from manus.models.tokenizer import load_tokenizer
from manus.plan.saved_plan import saved_plan
from manus.recipe.recipe import read_recipe
from manus.store.digests import Digests
from manus.store.manifest import MANIFEST, Manifest
from tests.pico import conversation
from tests.unit.plan.test_planner import RECIPE
from tests.unit.store.test_store import KEY, sealed

SECONDS = 2.0  # of processor time a case may take; the usual one takes some milliseconds
ODD: list[Any] = [
    None, True, -1, 0, 10**30, 1e308, "", "\u0000", "..", "/etc/passwd", "{{ 1 / 0 }}", "a" * 5000, [], {},
    [[]], [None], {"a": {"b": []}}, ["x", 1], "auto", {"__class__": "x"}, "🙂", [1] * 3000,
]  # fmt: skip
DEEP = b'{"a":' * 3000 + b"[" * 3000
BYTES = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"]",
    b"}",
    b'"',
    b"\n",
    b"{",
    DEEP,
    b"NaN",
    b"1e999",
    b"&a *a",
    b"!!x",
    b"\t",
    b": ",
]
Use = Callable[[], Any]


def mutated_value(draw: random.Random, value: Any) -> Any:
    """Replace, drop or double one of the values that stand in each other."""
    if isinstance(value, dict) and value and draw.random() < 0.9:
        name = draw.choice(list(value))
        rest = {key: one for key, one in value.items() if key != name}
        what = draw.random()
        if what < 0.15:
            return rest
        if what < 0.25:
            return {**rest, str(draw.choice(ODD))[:50]: value[name]}
        return {**value, name: mutated_value(draw, value[name])}
    if isinstance(value, list) and value and draw.random() < 0.8:
        index = draw.randrange(len(value))
        return [*value[:index], mutated_value(draw, value[index]), *value[index + draw.randrange(2) :]]
    return draw.choice(ODD)


def mutated(draw: random.Random, content: bytes) -> bytes:
    """Return a file's content with something wrong in it."""
    if draw.random() < 0.6:
        try:
            value = json.loads(content)
        except ValueError:
            pass
        else:
            for _ in range(draw.randint(1, 3)):
                value = mutated_value(draw, value)
            return json.dumps(value).encode()
    for _ in range(draw.randint(1, 3)):
        a, b = sorted((draw.randrange(len(content) + 1), draw.randrange(len(content) + 1)))
        content = draw.choice(
            [
                content[:a],
                content[a:],
                content[:a] + content[b:],
                content[:b] + content[a:],
                content[:a] + draw.choice(BYTES) + content[a:],
                content[:a] + bytes(draw.randrange(256) for _ in range(3)) + content[a + 3 :],
            ]
        )
    return content


def fuzz(file: Path, seed: int, cases: int, use: Use) -> int:
    """Use a file with many contents; return how often it was refused."""
    draw, good, refused = random.Random(f"{seed}:{file.name}"), file.read_bytes(), 0
    for case in range(cases):
        content = mutated(draw, good)
        file.write_bytes(content)
        began = time.process_time()
        try:
            use()
        except InputError as error:
            assert "\n" not in str(error) or file.suffix == ".yaml", error
            refused += 1
        except Exception as error:
            raise AssertionError(f"{file.name}, seed {seed}, case {case}: {content[:2000]!r}") from error
        assert time.process_time() - began < SECONDS, (
            f"{file.name}, seed {seed}, case {case}: {content[:2000]!r}"
        )
    file.write_bytes(good)
    use()
    return refused


@pytest.mark.parametrize("seed", range(2))
def test_configurations(pico_base: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "base"
    shutil.copytree(pico_base, folder)

    def use() -> None:
        find_base(str(folder), tmp_path, Digests(tmp_path / "digests.json"), {})
        senses_in(folder)
        has_own_senses(folder)
        detect(folder)

    assert fuzz(folder / "config.json", seed, 150, use) > 10


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
def test_tokenizers(pico_base: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "base"
    shutil.copytree(pico_base, folder)
    assert (folder / name).exists()

    def use() -> None:
        tokenizer = load_tokenizer(folder)
        try:
            render(tokenizer, conversation("last", (1, 2, 3)))  # type: ignore[arg-type]
        except RowError:
            return

    fuzz(folder / name, 0, 40, use)


def test_manifests(tmp_path: Path) -> None:
    store = sealed(tmp_path)
    file = store.folder(KEY) / MANIFEST
    good = Manifest.read(store.folder(KEY))

    def use() -> None:
        found = Manifest.read(store.folder(KEY))
        assert found in (None, good)
        assert store.holds(KEY) is (found is not None)

    fuzz(file, 0, 300, use)


def test_plans(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    made = {
        "recipe": "r",
        "revisions": {"a/b": "c" * 40},
        "artifacts": {"train/cot": {"key": "a" * 20, "made_from": {}}},
    }
    file.write_text(json.dumps(made))
    assert fuzz(file, 0, 300, lambda: saved_plan(file)) > 100


def test_recipes(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(RECIPE.format(out="results"))
    assert fuzz(file, 0, 60, lambda: read_recipe(file)) > 30


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".jsonl.gz", ".txt"])
def test_rows(pico_base: Path, tmp_path: Path, ending: str) -> None:
    import gzip

    file, tokenizer = tmp_path / f"rows{ending}", load_tokenizer(pico_base)
    rows = [conversation("last", (1, 2, digit)) for digit in range(3)]
    content = (
        json.dumps(rows[0])
        if ending in (".json", ".txt")
        else "".join(json.dumps(row) + "\n" for row in rows)
    )
    if ending == ".csv":
        content = 'prompt,completion\n"a ""b""",c\nd,e\n'
    file.write_bytes(gzip.compress(content.encode()) if ending.endswith("gz") else content.encode())
    read = of_any_row(cot.read)

    def use() -> None:
        for _, row in rows_in(file):
            try:
                if isinstance(row, dict):
                    render(tokenizer, read(row))
            except RowError:
                continue

    fuzz(file, 0, 120, use)
