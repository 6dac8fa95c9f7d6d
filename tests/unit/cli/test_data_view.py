"""`manus data` tells what is in every form of prepared data, shows what is learned, and refuses a leak."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from manus.cli import data_view as doctor
from manus.cli.main import app
from manus.data.examination import Examination, padded_share, spans
from manus.data.prepared.samples import HELD_OUT
from manus.errors import DataError
from manus.files import write_jsonl
from manus.jobs.runner import build
from manus.plan.artifacts import Plan
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe
from tests.pico import rows, tokenizer, write_rows

BAD: list[dict[str, Any]] = [{"messages": [{"role": "user", "content": "no answer"}]}] * 2


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe whose stages have data of all forms, over a base that is only a tokenizer."""
    from transformers import LlamaConfig

    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    base = tmp_path / "base"
    tokenizer().save_pretrained(base)
    LlamaConfig(architectures=["LlamaForCausalLM"], hidden_size=16, num_attention_heads=2).save_pretrained(
        base
    )
    (base / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    data = rows("first", 100)
    write_rows(tmp_path / "chats.jsonl", [*data, *data[:20], *BAD])
    pairs = [
        {
            "chosen": row["messages"],
            "rejected": [*row["messages"][:1], {"role": "assistant", "content": "no"}],
        }
        for row in data
    ]  # type: ignore[index]
    write_rows(tmp_path / "pairs.jsonl", pairs)
    path = tmp_path / "r.yaml"
    path.write_text(
        f"base_model: {base}\noutput_dir: {tmp_path / 'results'}\n"
        "defaults: {held_out: 10, max_length: 64, failure_budget: 0.1, batch_size: 8}\ncapabilities:\n"
        "  - cot: {name: small, method: lora, data: [{path: chats.jsonl}]}\n"
        "  - cot: {name: large, method: lora, mix: samples, data: [{path: chats.jsonl}]}\n"
        "  - cot: {name: preferred, method: dpo, data: [{path: pairs.jsonl}]}\n"
        "  - cot: {name: asked, method: grpo, data: [{path: chats.jsonl}]}\n"
    )
    return path


def found(recipe: Path, stage: str) -> tuple[Plan, Examination]:
    plan = make_plan(read_recipe(recipe, {}))
    build(plan, f"data/{stage}", with_parents=True)
    return plan, doctor.examined(plan, stage, 2)


def drawn(examination: Examination) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    doctor.show(examination, "r: stage", console)
    return console.export_text()


@pytest.mark.parametrize(("stage", "form"), [("small", "arrays"), ("large", "shards")])
def test_chats_are_counted_and_shown_with_what_is_learned(recipe: Path, stage: str, form: str) -> None:
    _, told = found(recipe, stage)
    assert told.form == form and told.duplicates == 20 and told.leaks == 0
    assert told.quarantine[0].count == 2
    assert told.padded_share is not None and 0 <= told.padded_share < 0.3
    assert told.unfilled_share is not None and 0 < told.unfilled_share < 0.6
    learned = [span.text for span in told.samples[0][0].spans if span.is_learned]
    assert "".join(learned).startswith("The answer is \\boxed{") and "<|im_end|>" in learned
    text = drawn(told)
    for expected in (
        "90 samples",
        "10 samples",
        "⟦The answer is",
        "█",
        "first: chats.jsonl line 121",
        "none: no held",
    ):
        assert expected in text, text
    assert 0.2 < told.statistics["learned_share"] < 0.8


def test_pairs_and_prompts_are_shown_in_their_parts(recipe: Path) -> None:
    pairs, prompts = found(recipe, "preferred")[1], found(recipe, "asked")[1]
    assert [part.title for part in pairs.samples[0]] == ["prompt", "chosen", "rejected"]
    assert pairs.samples[0][2].spans[0].text == "no" and pairs.leaks == prompts.leaks == 0
    assert [part.title for part in prompts.samples[0]] == ["prompt", "expected"]
    assert prompts.samples[0][1].spans[0].text.isdigit()
    assert "rejected (" in drawn(pairs) and "expected (" in drawn(prompts)


def test_the_command_prepares_shows_and_refuses_a_leak(recipe: Path) -> None:
    done = CliRunner().invoke(app, ["data", str(recipe), "small", "--json", "--sample", "3"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["train_samples"], told["leaks"], len(told["samples"])) == (90, 0, 3)
    assert sum(told["length_histogram"]["samples"]) == 90
    plan = make_plan(read_recipe(recipe, {}))
    folder = plan.store.folder(plan.artifacts["data/small"].key)
    kept = (folder / HELD_OUT).read_text()
    trained = [row for row in rows("first", 100) if json.dumps(row["messages"]) not in kept][:1]
    (folder / HELD_OUT).unlink()
    write_jsonl(folder / HELD_OUT, trained)
    leaky = doctor.examined(plan, "small", 0)
    assert leaky.leaks == 1 and "1 training samples ask" in drawn(leaky)
    with pytest.raises(DataError, match="small: 1 training samples ask") as error:
        doctor.check(leaky, "r: small")
    assert error.value.exit_code == 2


def test_a_stage_that_is_none_is_refused(recipe: Path) -> None:
    done = CliRunner().invoke(app, ["data", str(recipe), "smal"])
    assert "did you mean 'small'" in str(done.exception)


def test_spans_keep_special_tokens_apart() -> None:
    words = tokenizer()
    ids = words("<|im_start|>user\nfirst of 1<|im_end|>", add_special_tokens=False)["input_ids"]
    made = list(spans(words, ids, [False] * (len(ids) - 1) + [True]))
    assert [(span.text, span.is_special) for span in made] == [
        ("<|im_start|>", True),
        ("user\nfirst of 1", False),
        ("<|im_end|>", True),
    ]
    assert doctor.style_of(made[2]) == "bold cyan" and doctor.style_of(made[1]) == "dim"
    assert doctor.printable("a\x1b[2Jb\n") == "a\ufffd[2Jb\n"


def test_padding_is_what_the_longest_of_a_batch_costs() -> None:
    import numpy as np

    assert padded_share(np.array([1, 3, 4, 4, 9]), 2) == pytest.approx(2 / 14, abs=1e-4)
    assert padded_share(np.array([5, 6]), 1) == 0 and padded_share(np.array([5]), 2) is None
