"""Turns and rows are learned as their flags say; what is labelled as bad is not imitated."""

from __future__ import annotations

from typing import Any

import pytest

from manus.capabilities import cot, tools
from manus.data.forms.flags import with_default, without_flags
from manus.data.forms.messages import as_messages
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.sample import NotLearned, RowError
from manus.data.settings import DataSettings, Source
from manus.data.tokens.rendering import render
from manus.jobs.rows import reader_of
from manus.recipe.recipe import METHODS
from manus.recipe.stage import Stage
from tests.pico import tokenizer


def chat(first: dict[str, Any], last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": "first of 1 2 3"},
            {"role": "assistant", "content": "one", **first},
            {"role": "user", "content": "and last"},
            {"role": "assistant", "content": "three", **(last or {})},
        ]
    }


def learned(row: dict[str, Any], learn: Any = "all_turns") -> str:
    """Return what is learned of a row in a stage, as text."""
    words = tokenizer()
    settings = DataSettings(data=(Source(path="rows.jsonl"),), learn=learn)
    tokens = render(
        words,
        reader_of(Stage("stage", "cot", "lora", settings, METHODS["lora"].Settings(), cot.Settings()))(row),
    )
    return str(
        words.decode([token for token, keep in zip(tokens.ids, tokens.is_learned, strict=True) if keep])
    )


BOTH, LAST = "one<|im_end|>\nthree<|im_end|>\n", "three<|im_end|>\n"
MASKED: list[dict[str, Any]] = [
    {"train": False}, {"training": False}, {"trainable": False}, {"weight": 0}, {"weight": 0.0}, {"loss": False}, {"loss_scale": 0},
    {"loss_weight": 0.0}, {"mask": True}, {"masked": True}, {"train": "false"}, {"weight": "0"},
    {"train_detail": [{"begin_offset": 0, "end_offset": 2, "train": False}]},
    {"loss_mask": 0}, {"learn": False}, {"trained": False}, {"train_on_turn": False}, {"ignore_loss": True}, {"is_masked": True},
    {"train": False, "train_detail": [{"begin_offset": 0, "end_offset": 2, "train": True}]},
]  # fmt: skip
KEPT: list[dict[str, Any]] = [
    {"train": True},
    {"training": True},
    {"weight": 1},
    {"loss": True},
    {"loss_scale": 1.0},
    {"mask": False},
    {"train": None},
    {"train": True, "weight": 1},
]


@pytest.mark.parametrize("flag", MASKED, ids=str)
def test_turns_that_are_flagged_as_not_learned_are_only_read(flag: dict[str, Any]) -> None:
    assert learned(chat(flag)) == LAST
    assert learned(chat({}, flag)) == "one<|im_end|>\n"  # what follows the last learned turn changes nothing
    with pytest.raises(NotLearned, match="no turn of it is to be learned"):
        as_messages(chat(flag, flag))


@pytest.mark.parametrize("flag", KEPT, ids=str)
def test_turns_that_are_flagged_as_learned_are(flag: dict[str, Any]) -> None:
    assert learned(chat(flag, flag)) == BOTH


def test_the_recipe_decides_where_the_row_says_nothing() -> None:
    assert learned(chat({})) == BOTH and learned(chat({}), "last_turn") == LAST
    assert learned(chat({"train": True}), "last_turn") == BOTH
    assert learned(chat({"train": False}), "last_turn") == LAST


def test_of_a_turn_some_characters_may_be_learned() -> None:
    detail = [
        {"begin_offset": 0, "end_offset": 1, "train": False},
        {"begin_offset": 4, "end_offset": 8, "train": True},
    ]
    row = chat(
        {
            "content": "  one two three ",
            "train_detail": [*detail, {"begin_offset": 9, "end_offset": 16, "train": False}],
        }
    )
    assert as_messages(row)["messages"][1]["learn"] == [(2, 7)]
    row = chat(
        {"content": "one two three", "train_detail": [{"begin_offset": 4, "end_offset": 6, "train": True}]}
    )
    assert as_messages(row)["messages"][1]["learn"] == [(4, 7)]
    assert learned(row).split() == ["two<|im_end|>", "three<|im_end|>"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    (chat({"weight": 0.5}), "turn 2: 'weight' is 0.5"),
    (chat({"loss_scale": 2}), "turn 2: 'loss_scale' is 2"),
    (chat({"loss_scale": "react"}), "turn 2: 'loss_scale' is 'react'"),
    (chat({"train": True, "weight": 0}), "turn 2: its flags contradict each other: train, weight"),
    (chat({"train_detail": [{"begin": 0}]}), "turn 2: 'train_detail' is a list of begin_offset"),
    (
        {"messages": [{"role": "user", "content": "q", "train": True}, {"role": "assistant", "content": "a"}]},
        "turn 1: 'train' asks for learning what the user says",
    ),
    (
        {"messages": [
            {"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "train": False},
            {"role": "assistant", "content": "b"},
        ]},
        "follow each other, and they are not learned alike",
    ),
    ({"prompt": "q", "completion": "a", "weight": 0.3}, "'weight' of the row is 0.3"),
    ({"prompt": "q", "completion": "a", "train_on_input": True}, "'train_on_input' asks for learning what is asked"),
    (chat({"label": False}), "turn 2: label: False labels it as a bad answer"),
    (chat({"toxic": True}), "turn 2: toxic: True labels it as a bad answer"),
    ({"prompt": "q", "completion": "a", "train_on_inputs": True}, "'train_on_inputs' asks for learning what is asked"),
    (chat({}) | {"mask": "Assistant"}, "'mask' is 'Assistant'"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_cannot_be_honoured_is_refused_by_name(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason) as refused:
        as_messages(row)
    assert not isinstance(refused.value, NotLearned)


@pytest.mark.parametrize(
    "flag", [{"train": False}, {"loss": False}, {"weight": 0}, {"sample_weight": 0}, {"mask": True}], ids=str
)
def test_rows_that_are_flagged_as_not_learned_are_left_out(flag: dict[str, Any]) -> None:
    for row in (chat({}), {"prompt": "q", "completion": "a"}, {"question": "q", "answer": "a\n#### 4"}):
        with pytest.raises(NotLearned, match=next(iter(flag))):
            cot.read({**row, **flag})


def test_flags_that_change_nothing_are_read() -> None:
    from manus.data.forms.columns import Columns

    row = Columns.of(
        {
            **chat({}),
            "train": True,
            "weight": 1,
            "train_on_inputs": False,
            "mask": "User",
            "label": True,
            "loss": 1.7,
        }
    )
    assert row.unread(as_messages(row)) == ["loss"]  # a number that was measured


BAD = [
    {"label": -1}, {"type": "rejected"}, {"preference": "dispreferred"},
    {"label": False}, {"label": "false"}, {"label": 0}, {"kto_tag": False}, {"kto_tag": 0}, {"correct": False}, {"is_correct": False},
    {"is_correct": "no"}, {"desirable": False}, {"bad": True}, {"is_wrong": 1}, {"label": 0.0}, {"label": "rejected"},
    {"is_safe": False}, {"preferred": False}, {"verified": "false"}, {"toxic": True}, {"is_rejected": True},
]  # fmt: skip
ROWS = {
    "pair": {"prompt": "q", "completion": "a"},
    "chat": chat({}),
    "gsm8k": {"question": "q", "answer": "one\n#### 4"},
    "xlam": {
        "query": "q",
        "answers": [{"name": "f", "arguments": {}}],
        "tools": [{"name": "f", "parameters": {}}],
    },
}


@pytest.mark.parametrize("label", BAD, ids=str)
@pytest.mark.parametrize("shape", ROWS)
def test_what_is_labelled_as_bad_is_refused_with_what_learns_from_it(
    shape: str, label: dict[str, Any]
) -> None:
    row = {**ROWS[shape], **label}
    for read in (as_messages, cot.read, tools.read, lambda one: read_prompt(one, cot.read, lambda _: True)):
        with pytest.raises(RowError, match=r"labelled as bad .*dpo and orpo learn from it"):
            read(row)


@pytest.mark.parametrize(
    "label",
    [
        {"label": True},
        {"label": 3},
        {"label": "no"},
        {"label": "sports"},
        {"correct": True},
        {"label": 1.0},
        {"preferred": 0},
        {"toxic": 0.1},
        {"valid": "no"},
    ],
    ids=str,
)
def test_other_labels_are_no_reproach(label: dict[str, Any]) -> None:
    assert as_messages({"prompt": "q", "completion": "a", **label})["messages"][-1]["content"] == "a"


def test_a_label_may_say_which_choice_is_right() -> None:
    row = {"question": "Which?", "choices": ["red", "blue"]}
    assert as_messages({**row, "label": 0})["messages"][-1]["content"] == "A. red"
    with pytest.raises(RowError, match="labelled as bad"):
        as_messages({**row, "answer": "A", "correct": False})


def test_pairs_and_prompts_learn_no_turn_by_a_flag() -> None:
    row = {"messages": chat({"train": False})["messages"][:3], "chosen": "three", "rejected": "two"}
    assert not any("learn" in message for message in without_flags(read_pair(row, as_messages))["messages"])
    with pytest.raises(RowError, match="flagged as not to be learned"):
        read_pair(
            {
                "prompt": "q",
                "chosen": [{"role": "assistant", "content": "a", "train": False}],
                "rejected": "b",
            },
            as_messages,
        )


def test_a_sample_without_flags_is_as_it_was() -> None:
    sample = as_messages(chat({}))
    assert with_default(sample, "all_turns") is sample and without_flags(sample) is sample
    assert with_default(as_messages(chat({"train": True})), "all_turns") == sample


def test_a_turn_that_is_labelled_as_bad_may_be_read_and_may_be_the_worse_answer() -> None:
    assert learned(chat({"correct": False, "train": False})) == LAST
    turn = {"role": "assistant", "content": "b", "label": False}
    pair = {"prompt": "q", "chosen": [{**turn, "content": "a", "label": True}], "rejected": [turn]}
    assert read_pair(pair, as_messages)["rejected"] == "b"
    with pytest.raises(RowError, match="labels it as a bad answer"):
        read_pair({**pair, "chosen": [turn]}, as_messages)


def test_parts_of_a_thought_that_is_written_in_another_form_are_refused() -> None:
    thought = "<|begin_of_thought|>t<|end_of_thought|><|begin_of_solution|>s<|end_of_solution|>"
    detail = {"content": thought, "train_detail": [{"begin_offset": 0, "end_offset": 10, "train": True}]}
    with pytest.raises(RowError, match="its thought is written in another form"):
        cot.read(chat({}, detail))


@pytest.mark.parametrize("weight", ["0", "0.0"])
def test_weights_as_texts_as_csv_files_have_them_count(weight: str) -> None:
    with pytest.raises(NotLearned):
        as_messages({"prompt": "q", "completion": "a", "weight": weight})
    with pytest.raises(RowError, match=r"'weight' of the row is 0\.3"):
        as_messages({"prompt": "q", "completion": "a", "weight": "0.3"})
