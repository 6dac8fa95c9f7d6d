"""The pages that the code writes are current, and the editors' schema agrees with what is accepted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from manus.errors import RecipeError
from manus.recipe.page import markdown
from manus.recipe.recipe import CAPABILITIES, FEATURES, GENERATORS, METHODS, read_recipe
from manus.recipe.schema import json_schema
from manus.recipe.starter import STARTER
from tests.unit.recipe.broken_recipes import BASE, BELOW, GOOD, OF_A_STAGE, STAGE

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
SCHEMA = json_schema()


def errors_in(text: str) -> list[str]:
    return [
        error.message
        for error in Draft202012Validator(SCHEMA).iter_errors(YAML(typ="safe", pure=True).load(text))
    ]


@pytest.mark.parametrize(
    ("page", "content"),
    [("docs/recipe.schema.json", json.dumps(SCHEMA, indent=2) + "\n"), ("docs/RECIPES.md", markdown())],
)
def test_the_page_is_current(page, content):
    assert (ROOT / page).read_text(encoding="utf-8") == content, "run `make docs`"


def test_the_schema_is_one_and_every_reference_leads_somewhere():
    Draft202012Validator.check_schema(SCHEMA)
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(SCHEMA)))
    assert references == {f"#/$defs/{name}" for name in SCHEMA["$defs"]}
    assert "title" not in json.dumps(SCHEMA["$defs"])


def test_the_schema_knows_every_name():
    choices = SCHEMA["properties"]["capabilities"]["items"]["oneOf"]
    assert choices[0]["enum"] == [*CAPABILITIES, *FEATURES, "all_text"]
    stages = choices[1]["properties"]
    assert set(stages) == {*CAPABILITIES, *FEATURES, "all_text"}
    of_text = [name for name in METHODS if name != "alignment"]
    assert stages["cot"]["properties"]["method"]["enum"] == of_text
    assert stages["all_text"]["properties"]["method"]["enum"] == [name for name in of_text if name != "cpt"]
    assert stages["omni"]["properties"]["method"]["enum"] == ["alignment"]
    assert "vision" in stages["omni"]["properties"] and "vision" not in stages["vision-qa"]["properties"]
    assert "name" not in stages["all_text"]["properties"]
    assert set(stages["streaming"]["properties"]) == {"name", "probe"}
    assert SCHEMA["$defs"]["Source"]["properties"]["generator"]["enum"] == list(GENERATORS)


def test_there_are_recipes():
    assert {path.stem for path in RECIPES} >= {"quickstart", "text_all", "cot_qlora", "parallel_ties"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_of_ours_is_valid_and_says_what_it_takes(path):
    text = path.read_text(encoding="utf-8")
    assert read_recipe(path).stages
    assert errors_in(text) == []
    comment = "".join(
        line for line in text.splitlines(keepends=True)[: text[: text.index("\nbase_model")].count("\n")]
    )
    assert all(line.startswith("#") or not line.strip() for line in comment.splitlines())
    assert re.search(r"Hardware: .*(CPU|GPU)", comment)
    assert re.search(r"Time: .*(second|minute|hour|day)", comment, re.DOTALL)
    assert path.name in comment, "the comment says how to run it"


def test_what_manus_new_writes_is_valid(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(STARTER, encoding="utf-8")
    assert [stage.name for stage in read_recipe(path).stages] == ["cot", "tools"]
    assert errors_in(STARTER) == []
    for line in STARTER.splitlines():
        assert line.count("#") or not line or line[0] in " bcdsge", "every part is commented"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"{BASE}capabilities: [all_text: {{epochs: 2}}, cot: {{name: again, method: cpt, adapter: lora}}]\n",
        f"{BASE}capabilities:\n  - cot:\n"
        "  - tools: {data: [{path: a}, {hub: b/c, split: d}], targets: [q, v]}\n",
        f"{BASE}defaults: {{method: sft, rank: 3}}\n"
        "capabilities: [thinking: {probe: {max_new_tokens: 5}}]\n",
        f"{GOOD}gates: {{'*': {{max_drop: 0.1}}}}\nmerge: {{combine: ties, density: 0.2}}\nexport: []\n",
        f"{BASE}capabilities: [cot, streaming]\ngates: {{streaming: {{max_gap_p95_seconds: 0.5}}}}\n",
        f"{BASE}capabilities: [streaming: {{name: s, probe: {{questions: 2}}}}, all_text]\n",
    ],
)
def test_the_schema_accepts_what_is_read(text, tmp_path):
    (tmp_path / "r.yaml").write_text(text)
    assert read_recipe(tmp_path / "r.yaml").stages
    assert errors_in(text) == []


def test_the_schema_refuses_most_of_what_is_refused():
    """It cannot see how values depend on each other, if numbers are finite, or what YAML itself forbids."""
    texts = [*(STAGE % row[0] for row in OF_A_STAGE), *(f"{GOOD}{row[0]}\n" for row in BELOW)]
    missed = [text for text in texts if is_yaml(text) and not errors_in(text)]
    assert len(missed) < len(texts) / 5, "\n".join(missed)


def is_yaml(text: str) -> bool:
    try:
        YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        STAGE % 'epochs: "3"',
        STAGE % "epochs: 0",
        STAGE % "epoch: 3",
        STAGE % "method: dop",
        STAGE % "name: ../x",
        STAGE % "name: merged",
        STAGE % "targets: []",
        STAGE % "probe: {max_new_token: 5}",
        STAGE % "data: [{path: a, hub: b}]",
        STAGE % "data: [{generator: cott}]",
        STAGE % "data: [{generator: cot, options: {largest_start: 3}}]",
        f"{BASE}capabilities: []\n",
        f"{BASE}capabilities: [cott]\n",
        f"{BASE}capabilities: [{{cot: {{}}, tools: {{}}}}]\n",
        f"{BASE}capabilities: [tools: {{method: cpt}}]\n",
        f"{BASE}capabilities: [all_text: {{method: cpt}}]\n",
        f"{BASE}capabilities: [all_text: {{name: x}}]\n",
        f"{BASE}capabilities: [cot, streaming: {{method: lora}}]\n",
        f"{BASE}capabilities: [cot, streaming: {{probe: {{questions: 0}}}}]\n",
        f"{GOOD}defaults: {{name: x}}\n",
        f"{GOOD}gates: {{cot: {{}}}}\n",
        f"{GOOD}export: [gguf]\n",
        "capabilities: [cot]\n",
    ],
)
def test_the_schema_refuses(text, tmp_path):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError):
        read_recipe(tmp_path / "r.yaml")
    assert errors_in(text)


def test_the_page_names_every_setting():
    page = markdown()
    for module in (*METHODS.values(), *CAPABILITIES.values(), *FEATURES.values(), *GENERATORS.values()):
        for key in module.Settings.model_fields:
            assert f"| `{key}` |" in page
    for name in (*METHODS, *CAPABILITIES, *FEATURES, *GENERATORS):
        assert name in page
    for line in page.splitlines():
        if line.startswith("| "):
            assert line.endswith("|") and line.count(" | ") in (3, 4, len(METHODS)), line
    assert "| `false` | Training samples" not in page, "0 is not false"
