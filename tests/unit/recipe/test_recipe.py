"""What a recipe says becomes stages, or is refused with its line, its key, what is wrong and what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from manus.errors import ModelError, RecipeError
from manus.kinds import RESERVED_NAMES
from manus.recipe.recipe import CAPABILITIES, FEATURES, GENERATORS, METHODS, Recipe, read_recipe, shared_kind
from tests.unit.recipe.broken_recipes import (
    BASE,
    BELOW,
    GOOD,
    NOT_TEXT,
    OF_A_STAGE,
    STAGE,
    STAGE_LINE,
    STAGE_PATH,
    WHOLE,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: empty, so that what is written there shows."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recipe(text: str, **overrides: Any) -> Recipe:
    Path("r.yaml").write_text(text, encoding="utf-8")
    return read_recipe(Path("r.yaml"), overrides)


def refused(text: str | bytes, **overrides: Any) -> list[str]:
    """Return the lines of the refusal, after checking what holds for all of them."""
    Path("r.yaml").write_bytes(text.encode(errors="surrogatepass") if isinstance(text, str) else text)
    with pytest.raises(RecipeError) as caught:
        read_recipe(Path("r.yaml"), overrides)
    assert caught.value.exit_code == 2
    assert [path.name for path in Path().iterdir()] == ["r.yaml"], "something was written"
    lines = str(caught.value).split("\n")
    for line in lines:
        assert line.isprintable()
        assert len(line) < 500
        assert line.startswith(("r.yaml:", "--config "))
    return lines


def assert_says(line: str, start: str, *fragments: str) -> None:
    assert line.startswith(start), f"{line!r} does not start with {start!r}"
    for fragment in fragments:
        assert fragment in line, f"{fragment!r} is not in {line!r}"


# Refused


def named(rows: list[tuple[Any, ...]]) -> list[Any]:
    return [pytest.param(*row[:2], row[2:], id=str(row[0])[-40:]) for row in rows]


@pytest.mark.parametrize(("setting", "key", "says"), named(OF_A_STAGE))
def test_a_stage_is_refused(setting, key, says):
    [line] = refused(STAGE % setting)
    assert_says(line, f"r.yaml:{STAGE_LINE}: {STAGE_PATH}{'.' if key else ''}{key}: ", *says)


@pytest.mark.parametrize(("lines", "number", "says"), named(BELOW))
def test_a_line_is_refused(lines, number, says):
    [line] = refused(f"{GOOD}{lines}\n")
    key, *says = says
    assert_says(line, f"r.yaml:{number}: {key}", *says)


@pytest.mark.parametrize(("text", "number", "says"), named(WHOLE))
def test_a_file_is_refused(text, number, says):
    [line] = refused(text)
    assert_says(line, f"r.yaml:{number}: " if number else "r.yaml:", *says)


@pytest.mark.parametrize(("content", "number", "says"), named(NOT_TEXT))
def test_what_is_not_text_is_refused(content, number, says):
    [line] = refused(content)
    assert_says(line, f"r.yaml:{number}: " if number else "r.yaml: ", *says)


def test_there_are_enough_broken_recipes():
    assert len(OF_A_STAGE) + len(BELOW) + len(WHOLE) + len(NOT_TEXT) > 200


def test_files_that_cannot_be_read(folder):
    Path("quickstart.yaml").write_text(GOOD)
    with pytest.raises(RecipeError, match=r"^quickstrat.yaml: no such file; did you mean quickstart.yaml\?$"):
        read_recipe(Path("quickstrat.yaml"))
    with pytest.raises(RecipeError, match=r"^nowhere/r.yaml: no such file$"):
        read_recipe(Path("nowhere/r.yaml"))
    with pytest.raises(RecipeError, match="is a directory, not a YAML file"):
        read_recipe(folder)
    with pytest.raises(RecipeError, match="cannot be read: File name too long"):
        read_recipe(Path("r" * 300))
    with pytest.raises(RecipeError, match="cannot be read: Not a directory"):
        read_recipe(Path("quickstart.yaml/r.yaml"))


@pytest.mark.parametrize("name", ["my recipe.yaml", ".yaml", "a..b.yaml", "r" * 80 + ".yaml", "想.yaml"])
def test_a_file_name_that_cannot_be_a_folder(name):
    Path(name).write_text(GOOD)
    with pytest.raises(RecipeError, match=r":1: the file's name becomes a folder; use at most 64 letters"):
        read_recipe(Path(name))


def test_all_errors_are_shown_at_once_in_the_order_of_the_file():
    lines = refused(
        "seed: x\n"
        "defaults: {epochs: 0, ranks: 1}\n"
        "capabilities:\n"
        "  - cott\n"
        "  - tools: {method: loraa, batch_size: 0, foo: 1}\n"
        "  - cot: {method: cpt, warmup: 2}\n"
        "gates: {cot: {max_drop: 2}}\n"
        "compse: parallel\n",
        epochs=-1,
        training_method="foo",
    )
    starts = [line.split(": ", 2)[0] + ": " + line.split(": ", 2)[1].split(":")[0] for line in lines]
    assert starts == [
        "--config epochs: must be greater than 0, not -1",
        "--config training_method: unknown method 'foo'; known",
        "r.yaml:1: base_model",
        "r.yaml:1: seed",
        "r.yaml:2: defaults.epochs",
        "r.yaml:2: defaults.ranks",
        "r.yaml:4: capabilities[0]",
        "r.yaml:5: capabilities[1].tools.method",
        "r.yaml:5: capabilities[1].tools.batch_size",
        "r.yaml:5: capabilities[1].tools.foo",
        "r.yaml:6: capabilities[2].cot.warmup",
        "r.yaml:7: gates.cot.max_drop",
        "r.yaml:8: compse",
    ]


def test_an_error_in_a_group_or_in_defaults_is_said_once():
    assert len(refused(f"{BASE}capabilities:\n  - all_text: {{epochs: 0}}\n")) == 1
    assert len(refused(f"{BASE}defaults: {{epochs: 0}}\ncapabilities: [cot, tools, thinking]\n")) == 1
    [line] = refused(f"{BASE}defaults:\n  rank: 0\ncapabilities: [cot, tools: {{method: sft}}]\n")
    assert_says(line, "r.yaml:3: defaults.rank: must be at least 1")
    assert refused(f"{BASE}defaults: {{rank: 0}}\ncapabilities: [cot: {{method: sft, rank: 1}}]\n")[0].count(
        "defaults"
    )


def test_hundreds_of_errors_are_cut():
    lines = refused(f"{BASE}capabilities:\n" + "  - cott\n" * 200)
    assert len(lines) == 31
    assert lines[-1] == "r.yaml: and 170 more"


def test_every_planned_name_is_refused_honestly():
    from manus import capabilities

    assert capabilities.PLANNED
    for name in capabilities.PLANNED:
        assert "designed but not built yet" in refused(f"{BASE}capabilities: [{name}]\n")[0]


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("method", METHODS)
def test_every_pair_is_a_stage_or_refused(capability, method):
    needed = ", teacher: some/model" if method == "distillation" else ""
    text = f"{BASE}capabilities: [{capability}: {{method: {method}{needed}}}]\n"
    if shared_kind(capability, method):
        assert recipe(text).stages[0].sample_kind in METHODS[method].SAMPLE_KINDS
    else:
        assert f"{capability} cannot be trained by {method}" in refused(text)[0]


def test_no_stage_can_have_the_name_of_a_rule():
    rules = {
        name
        for file in (ROOT / "rules").glob("*.smk")
        for name in re.findall(r"^rule (\w+):", file.read_text(), re.M)
    }
    assert len(rules) > 5
    assert rules | {"all"} <= RESERVED_NAMES


# The command line


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("epochs", 0, "must be greater than 0, not 0"),
        ("epochs", "three", "must be a number, not the text 'three'"),
        ("epochs", True, "must be a number, not true"),
        ("epochs", float("nan"), "must be a finite number"),
        ("batch_size", 1.5, "must be a whole number, not 1.5"),
        ("sample_size", -1, "must be at least 0, not -1"),
        ("seed", -1, "must be at least 0, not -1"),
        ("seed", 2**31, "must be less than 2147483648"),
        ("base_model", "", "must not be empty"),
        ("base_model", 5, "must be text, not 5"),
        ("training_method", "foo", "unknown method 'foo'; known: alignment"),
        ("training_method", ["lora"], "must be text, not a list"),
        ("epoch", 1, "unknown key; did you mean 'epochs'?"),
    ],
)
def test_overrides_are_refused(key, value, says):
    assert_says(refused(GOOD, **{key: value})[0], f"--config {key}: ", says)


def test_an_override_cannot_make_an_impossible_pair():
    lines = refused(f"{BASE}capabilities: [cot, thinking, tools]\n", training_method="cpt")
    assert [line.split(" cannot")[0] for line in lines] == [
        "--config training_method: thinking",
        "--config training_method: tools",
    ]


def test_an_override_does_not_hide_an_error():
    assert_says(refused(f"{GOOD}seed: x\n", seed=3)[0], "r.yaml:3: seed")
    assert_says(
        refused(STAGE % "method: foo", training_method="lora")[0], "r.yaml:3: capabilities[0].cot.method"
    )


# Read


def test_a_bare_recipe_has_defaults():
    read = recipe(GOOD)
    [stage] = read.stages
    assert (read.name, read.base_model, read.compose, read.seed, str(read.output_dir)) == (
        "r",
        "base",
        "sequential",
        42,
        "results",
    )
    assert (stage.name, stage.capability, stage.method, stage.sample_kind) == (
        "cot",
        "cot",
        "lora",
        "messages",
    )
    assert stage.sources[0].hub == CAPABILITIES["cot"].DEFAULT_DATA["hub"]
    assert stage.training == METHODS["lora"].Settings()


def test_the_command_line_beats_the_stage_which_beats_the_defaults():
    text = f"{BASE}seed: 1\ndefaults: {{epochs: 1, batch_size: 2, method: sft, sample_size: 9}}\n" + (
        "capabilities:\n  - cot: {epochs: 5, method: dora}\n  - tools\n"
    )

    def said(**overrides: Any) -> list[tuple[Any, ...]]:
        stages = recipe(text, **overrides).stages
        return [(s.method, s.training.epochs, s.training.batch_size, s.data.sample_size) for s in stages]

    assert said() == [("dora", 5.0, 2, 9), ("sft", 1.0, 2, 9)]
    assert said(epochs=7, batch_size=3) == [("dora", 7.0, 3, 9), ("sft", 7.0, 3, 9)]
    assert said(training_method="qlora", sample_size=4) == [("qlora", 5.0, 2, 4), ("qlora", 1.0, 2, 4)]
    read = recipe(text, seed=9, base_model="other", output_dir="out")
    assert (read.seed, read.base_model, str(read.output_dir)) == (9, "other", "out")
    assert recipe("capabilities: [cot]\n", base_model="given").base_model == "given"


def test_defaults_reach_only_the_methods_that_know_them():
    text = f"{BASE}defaults: {{rank: 4, adapter: lora}}\n" + (
        "capabilities:\n  - cot: {method: sft}\n  - reasoning: {method: cpt}\n  - tools\n"
    )
    sft, cpt, lora = (stage.training.model_dump() for stage in recipe(text).stages)
    assert "rank" not in sft
    assert (cpt["rank"], cpt["adapter"]) == (4, "lora")
    assert lora["rank"] == 4
    assert "adapter" not in lora


def test_methods_have_defaults_of_their_own():
    rates = {
        name: recipe(STAGE % f"method: {name}").stages[0].training.learning_rate
        for name in ("sft", "lora", "cpt")
    }
    assert rates == {"sft": 2e-5, "lora": 2e-4, "cpt": 5e-5}
    assert recipe(STAGE % "method: cpt").stages[0].sources[0].hub == METHODS["cpt"].DEFAULT_DATA["hub"]


def test_groups_take_settings():
    read = recipe(f"{BASE}capabilities:\n  - all_text: {{epochs: 2, data: [{{path: x.jsonl}}]}}\n")
    stages = read.stages
    assert [(one.name, one.probe.questions) for one in read.features] == [("streaming", 4)]
    assert [stage.name for stage in stages] == ["cot", "reasoning", "thinking", "tools"]
    assert {stage.training.epochs for stage in stages} == {2.0}
    assert {stage.sources[0].path for stage in stages} == {"x.jsonl"}


@pytest.mark.parametrize(
    "text",
    [
        f"{BASE}capabilities: [cot: {{epochs: 3}}]\n",
        f"{BASE}capabilities:\n- cot:\n    epochs: 3\n",
        f"{BASE}capabilities:\n  - {{'cot': {{\"epochs\": 3.0}}}}\n",
        "capabilities: [cot: {epochs: !!float 3}]\nbase_model: base   # a comment\n",
        f"---\n{BASE}capabilities:\n  - cot:\n      epochs: 3\n...\n",
        f"\ufeff{BASE}capabilities:\r\n  - cot:\r\n      epochs: 3\r\n",
        f"{BASE}defaults: &d {{epochs: 3}}\ncapabilities: [cot: *d]\n",
        f"{BASE}defaults: &d {{epochs: 3, rank: 4}}\ncapabilities: [cot: {{<<: *d, rank: 16}}]\n",
        f"{BASE}defaults: &a {{epochs: 3}}\nguards: &b {{}}\ncapabilities: [cot: {{<<: [*b, *a]}}]\n",
    ],
)
def test_the_same_recipe_in_other_yaml(text):
    assert recipe(text).stages[0].training.epochs == 3.0
    assert recipe(text) == recipe(f"{BASE}defaults: {{rank: 16}}\ncapabilities: [cot: {{epochs: 3}}]\n")


def test_numbers_as_people_write_them():
    [stage] = recipe(
        STAGE % "learning_rate: 1e-4, epochs: 1, weight_decay: 0, batch_size: 1_0, alpha: 8"
    ).stages
    training = stage.training.model_dump()
    assert (training["learning_rate"], training["epochs"], training["batch_size"], training["alpha"]) == (
        1e-4,
        1,
        10,
        8,
    )
    assert isinstance(stage.training.epochs, float)
    assert recipe(STAGE % "name: 2024-01-01").stages[0].name == "2024-01-01"


def test_an_error_in_an_alias_is_blamed_on_its_line():
    [line] = refused(f"{BASE}defaults: &d\n  epochs: 3\n  rnak: 4\ncapabilities: [cot]\n")
    assert_says(line, "r.yaml:4: defaults.rnak: ", "did you mean 'rank'?")
    lines = refused(f"{BASE}guards: &g\n  epochs: 0\ncapabilities:\n  - cot: {{<<: *g}}\n")
    assert_says(lines[-1], "r.yaml:3: capabilities[0].cot.epochs: must be greater than 0")


def test_names_tell_stages_apart():
    read = recipe(
        f"{BASE}capabilities:\n  - cot\n  - cot: {{name: cot-2}}\ngates: {{cot-2: {{min_gain: 0}}}}\n"
    )
    assert [stage.name for stage in read.stages] == ["cot", "cot-2"]
    assert read.gate_of("cot") is None
    assert read.gate_of("cot-2") is not None


def test_what_trains_nothing_is_no_stage_wherever_it_stands():
    read = recipe(
        f"{BASE}defaults: {{method: sft, epochs: 9}}\n"
        "capabilities:\n  - streaming: {name: live, probe: {questions: 2}}\n"
        "  - cot\n  - streaming\ngates: {live: {max_gap_p95_seconds: 0.5}, '*': {max_drop: 0.1}}\n"
    )
    assert [stage.name for stage in read.stages] == ["cot"]
    assert [(one.name, one.capability, one.probe.questions) for one in read.features] == [
        ("live", "streaming", 2),
        ("streaming", "streaming", 4),
    ]
    assert read.gates["live"].limits == {"max_gap_p95_seconds": 0.5}


def test_lists_of_settings_are_read():
    [stage] = recipe(
        STAGE % "targets: [q_proj, v_proj], data: [{generator: thinking, options: {kinds: [days]}}]"
    ).stages
    assert stage.training.model_dump()["targets"] == ("q_proj", "v_proj")
    assert stage.sources[0].options == {"kinds": ["days"]}


def test_settings_are_frozen_and_strict():
    read = recipe(GOOD)
    with pytest.raises(AttributeError):
        read.seed = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        read.stages[0].training.epochs = 1.0
    for found in (*CAPABILITIES.values(), *FEATURES.values(), *METHODS.values(), *GENERATORS.values()):
        config = found.Settings.model_config
        assert (config["extra"], config["frozen"], config["strict"], config["allow_inf_nan"]) == (
            "forbid",
            True,
            True,
            False,
        )


def test_what_the_recipe_names_is_blamed_on_its_line():
    read = recipe(
        f"{BASE}capabilities:\n  - cot:\n      data:\n        - path: a\n        - path: b\n  - tools\n"
    )
    for keys, line in (
        (("base_model",), 1),
        (read.stages[0].data_at, 4),
        ((*read.stages[0].data_at, 1), 6),
        (read.stages[1].data_at, 7),
    ):
        with pytest.raises(ModelError, match=rf"^r\.yaml:{line}: it is gone$"), read.blamed(keys):
            raise ModelError("it is gone")
    read = recipe(GOOD, base_model="other")
    with pytest.raises(ModelError, match=r"^--config: it is gone$"), read.blamed(("base_model",)):
        raise ModelError("it is gone")


# Anything else

SAMPLE = """\
# A recipe that uses most of what there is.
base_model: package:some/model.gguf
compose: parallel
seed: 42
defaults: &d
  method: lora
  epochs: 1.5
  targets: [q_proj, "v_proj"]
capabilities:
  - cot
  - tools:
      <<: *d
      data: [{generator: tools, options: {no_fit_share: 0.5}}, {path: x.jsonl, weight: 2}]
      probe: {max_new_tokens: 64}
  - reasoning: {method: cpt, learning_rate: 1e-4}
merge: {combine: ties, density: 0.5, weights: {cot: 1, tools: 1, reasoning: 0.5}}
gates: {cot: {min_gain: 0.02}, "*": {max_drop: 0.01}}
guards:
  checkpoint_every_steps: 100
"""
LINES = SAMPLE.splitlines()
JUNK = st.one_of(
    st.sampled_from(["", "~", "0", "-1", "1e999", ".nan", "true", "'", '"', "[", "{", "]", "}",
                     "*d", "&d", "<<", "!!set", "!x"]),
    st.sampled_from(["---", "...", "%", "@", "`", "|", ">", "? ", "- ", ": ", "\t", "#", "2024-01-01",
                     "{a: b}", "[[]]", "&d [*d]"]),
    st.text(max_size=12),
)  # fmt: skip
SCALARS = re.compile(r"[\w.*/\"-]+")


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """Return SAMPLE after a few accidents."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        accident = draw(st.sampled_from(["drop", "double", "indent", "swap", "replace", "replace", "insert"]))
        if accident == "drop" and len(lines) > 1:
            del lines[place]
        elif accident == "double":
            lines.insert(draw(st.integers(0, len(lines))), lines[place])
        elif accident == "indent":
            lines[place] = draw(st.sampled_from(["  ", "\t", " ", "- "])) + lines[place]
        elif accident == "swap":
            lines[place], lines[-1] = lines[-1], lines[place]
        elif accident == "insert":
            lines.insert(place, draw(JUNK))
        elif words := list(SCALARS.finditer(lines[place])):
            word = draw(st.sampled_from(words))
            lines[place] = lines[place][: word.start()] + draw(JUNK) + lines[place][word.end() :]
    return "\n".join(lines)


def reads_or_refuses(text: str) -> None:
    Path("r.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        read_recipe(Path("r.yaml"))
    except RecipeError as error:
        for line in str(error).split("\n"):
            assert line.isprintable() and line.startswith("r.yaml:"), line


def test_the_sample_is_good():
    assert [stage.name for stage in recipe(SAMPLE).stages] == ["cot", "tools", "reasoning"]


@settings(max_examples=120, deadline=None, database=None)
@given(text=mutations())
def test_an_accident_is_read_or_refused(text):
    reads_or_refuses(text)


@settings(max_examples=60, deadline=None, database=None)
@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    reads_or_refuses(text)


def test_overrides_reach_reward_models_too():
    text = f"{GOOD}reward_models: {{judge: {{data: [{{generator: preferences}}], epochs: 3}}}}\n"
    assert recipe(text).reward_models[0].training.epochs == 3
    [model] = recipe(text, sample_size=7, epochs=0.5).reward_models
    assert (model.data.sample_size, model.training.epochs) == (7, 0.5)
