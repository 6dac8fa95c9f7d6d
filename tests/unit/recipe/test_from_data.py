"""`manus new --data` looks at rows and writes the recipe that fits them, which is read as any other."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manus.cli.main import app
from manus.errors import InputError
from manus.plan.measures import measure_of
from manus.recipe.from_data import recipe_for
from manus.recipe.recipe import read_recipe

TURNS = [{"role": "user", "content": "Weather in Oslo?"}, {"role": "assistant", "content": "Cold."}]
FUNCTION = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
CALL = {
    "role": "assistant",
    "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}],
}
THOUGHT = "<think>\nCold there.\n</think>\nBring a coat."
KINDS = {
    "instructions": (
        {"instruction": "Who are you?", "input": "", "output": "I am Manus."},
        "instruct",
        "lora",
    ),
    "chats": ({"messages": TURNS}, "instruct", "lora"),
    "functions": ({"messages": [TURNS[0], CALL], "tools": [FUNCTION]}, "tools", "lora"),
    "worked": ({"question": "2 + 3?", "answer": "2 + 3 = 5\n#### 5"}, "cot", "lora"),
    "thoughts": ({"prompt": "Coat?", "completion": THOUGHT}, "thinking", "lora"),
    "pairs": ({"prompt": "Coat?", "chosen": "Yes.", "rejected": "No."}, "instruct", "dpo"),
    "prompts": ({"problem": "2 + 3?", "ground_truth": "5"}, "cot", "grpo"),
    "texts": ({"text": "It is cold in Oslo."}, "instruct", "cpt"),
    "pictures": ({"image": "cat.png", "question": "What is it?", "answer": "A cat."}, "vision-qa", "lora"),
    "films": (
        {"video": "cat.mp4", "question": "What is it?", "answer": "A cat."},
        "video-understanding",
        "lora",
    ),
    "sounds": ({"audio": "cat.wav", "text": "meow"}, "hearing", "lora"),
}


def written(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_rows_has_its_recipe(name: str, tmp_path: Path) -> None:
    row, capability, method = KINDS[name]
    data = written(tmp_path / "mine" / f"{name}.jsonl", *([row] * 12))
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(recipe_for(data, recipe), encoding="utf-8")
    (stage,) = read_recipe(recipe).stages
    assert (stage.capability, stage.method, stage.data.data[0].path) == (
        capability,
        method,
        f"mine/{name}.jsonl",
    )
    assert (
        f"Seen in the first 12 rows: 12 {recipe.read_text().split(': ')[1].split('.')[0]}"
        in recipe.read_text()
    )


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".json", ".jsonl.gz", ".txt"])
def test_every_format_is_looked_at(ending: str, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    path, rows = (
        tmp_path / f"rows{ending}",
        [{"prompt": f"Who is {n}?", "response": "Nobody."} for n in range(5)],
    )
    if ending == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif ending == ".csv":
        path.write_text("prompt,response\n" + "".join(f"{r['prompt']},{r['response']}\n" for r in rows))
    elif ending == ".jsonl.gz":
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    else:
        path.write_text(json.dumps(rows))
    text = recipe_for(path, tmp_path / "r.yaml")
    assert ("method: cpt" in text) == (ending == ".txt") and f'path: "rows{ending}"' in text


def test_a_folder_is_looked_at_file_by_file_and_the_majority_decides(tmp_path: Path) -> None:
    written(tmp_path / "d" / "a.jsonl", *([KINDS["functions"][0]] * 300))
    written(tmp_path / "d" / "b.jsonl", *([KINDS["chats"][0]] * 300), {"none": 1})
    text = recipe_for(tmp_path / "d", tmp_path / "r.yaml")
    assert "- tools:" in text and "100 conversations with functions, 100 conversations;" in text


def test_what_cannot_be_read_is_counted_and_told_with_its_place(tmp_path: Path) -> None:
    data = written(tmp_path / "d.jsonl", KINDS["chats"][0], {"one\nbase_model: evil": 1}, KINDS["chats"][0])
    text = recipe_for(data, tmp_path / "r.yaml")
    assert "# 1 of them cannot be read, such as d.jsonl line 2: no known shape" in text
    (tmp_path / "r.yaml").write_text(text)
    assert read_recipe(tmp_path / "r.yaml").base_model.startswith("package:")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "the file is empty"),
        ([{"none": 1}], "rows.jsonl line 1: no .* the columns are none"),
        ([{"prompt": "a", "completion": "b", "label": False}], "no method learns from labels"),
        (["text"], "a JSON str, not an object"),
    ],
)
def test_what_nothing_can_learn_from_is_refused(rows: list[object], says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        recipe_for(written(tmp_path / "rows.jsonl", *rows), tmp_path / "r.yaml")


def test_the_command_writes_once_and_names_data_elsewhere_whole(tmp_path: Path, monkeypatch) -> None:
    data = written(tmp_path / "else where" / "my rows.jsonl", *([KINDS["chats"][0]] * 5))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = CliRunner().invoke(app, ["new", "--data", str(data), "-o", "my.yaml"])
    assert done.exit_code == 0 and done.output == "my.yaml written; next: manus plan my.yaml\n"
    (stage,) = read_recipe(Path("my.yaml")).stages
    assert stage.data.data[0].path == str(data)
    Path("my.yaml").write_text("precious")
    again = CliRunner().invoke(app, ["new", "--data", str(data), "-o", "my.yaml"])
    assert again.exit_code != 0 and Path("my.yaml").read_text() == "precious"
    gone = CliRunner().invoke(app, ["new", "--data", "gone.jsonl"])
    assert isinstance(gone.exception, InputError) and "no such file" in str(gone.exception)


MEASURES = {
    "instructions": ("instruct", "lora", "held-out nats per answer token: no answer is verified"),
    "chats": (
        "cot",
        "lora",
        "held-out nats per answer token: of the 3 rows looked at none has an answer that the cot",
    ),
    "worked": ("cot", "distillation", "accuracy"),
    "texts": ("cot", "cpt", "perplexity of held-out texts"),
    "pairs": ("instruct", "dpo", "how often the better of two held-out answers is the likelier"),
}


@pytest.mark.parametrize("name", MEASURES)
def test_the_plan_says_what_measures_a_stage(name: str, tmp_path: Path) -> None:
    capability, method, says = MEASURES[name]
    written(tmp_path / "d.jsonl", *([KINDS[name][0]] * 3))
    teacher = ", teacher: a/b" if method == "distillation" else ""
    (tmp_path / "r.yaml").write_text(
        "base_model: b\n"
        f"capabilities: [{{{capability}: {{method: {method}{teacher}, data: [{{path: d.jsonl}}]}}}}]\n"
    )
    recipe = read_recipe(tmp_path / "r.yaml")
    assert measure_of(recipe, recipe.stages[0]).startswith(says)
