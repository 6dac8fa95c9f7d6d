"""Rows with two answers, and rows with a question alone, in the shapes that people publish."""

from __future__ import annotations

from typing import Any

import pytest

from manus.capabilities import cot, thinking, tools, vision_qa
from manus.data.forms.columns import Columns
from manus.data.forms.messages import as_messages
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.sample import RowError
from tests.pico import tokenizer

ASKED = [{"role": "user", "content": "2 + 2?"}]
GOOD, BAD = "It is \\boxed{4}.", "It is \\boxed{5}."


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


PAIRS: dict[str, dict[str, Any]] = {
    "TRL, standard": {"prompt": "2 + 2?", "chosen": GOOD, "rejected": BAD},
    "TRL, conversational": {"prompt": ASKED, "chosen": [said(GOOD)], "rejected": [said(BAD)]},
    "UltraFeedback": {"prompt": "2 + 2?", "chosen": [*ASKED, said(GOOD)], "rejected": [*ASKED, said(BAD)]},
    "trl-lib": {"chosen": [*ASKED, said(GOOD)], "rejected": [*ASKED, said(BAD)]},
    "distilabel": {"instruction": "2 + 2?", "chosen_response": GOOD, "rejected_response": BAD},
    "LLaMA-Factory, ShareGPT": {
        "conversations": [{"from": "human", "value": "2 + 2?"}],
        "chosen": {"from": "gpt", "value": GOOD},
        "rejected": {"from": "gpt", "value": BAD},
    },
    "LLaMA-Factory, Alpaca": {"instruction": "2 + 2?", "input": "", "chosen": GOOD, "rejected": BAD},
    "HH-RLHF": {
        "chosen": f"\n\nHuman: 2 + 2?\n\nAssistant: {GOOD}",
        "rejected": f"\n\nHuman: 2 + 2?\n\nAssistant: {BAD}",
    },
    "a conversation that ends with an answer": {
        "messages": [*ASKED, said("?")],
        "chosen": GOOD,
        "rejected": BAD,
    },
    "text in CSV": {"prompt": str(ASKED), "chosen": str([said(GOOD)]), "rejected": str([said(BAD)])},
}


@pytest.mark.parametrize("shape", PAIRS)
def test_every_shape_of_pairs_is_the_same_sample(shape: str) -> None:
    sample = read_pair(PAIRS[shape], cot.read)
    assert sample == {"messages": [*ASKED, said(GOOD)], "rejected": BAD, "answer": "4"}


def test_a_system_turn_and_what_a_verifier_needs_are_kept() -> None:
    row = {
        "prompt": "2 + 2?",
        "system": "Be brief.",
        "answer": "4",
        "level": "1",
        "chosen": GOOD,
        "rejected": BAD,
    }
    sample = read_pair(row, as_messages)
    assert sample["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (sample["answer"], sample["level"]) == ("4", "1")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "2 + 2?", "completion": GOOD}, "no 'chosen' and 'rejected' answer"),
        ({"prompt": "2 + 2?", "chosen": GOOD, "rejected": None}, "no 'chosen' and 'rejected' answer"),
        ({"prompt": "2 + 2?", "chosen": GOOD, "rejected": f" {GOOD}"}, "are the same"),
        ({"prompt": "2 + 2?", "chosen": GOOD, "rejected": ""}, "empty"),
        ({"chosen": GOOD, "rejected": BAD}, "no question"),
        ({"prompt": "2 + 2?", "chosen": 4, "rejected": 5}, "a list of turns, not"),
        ({"prompt": "2 + 2?", "chosen": [], "rejected": [said(BAD)]}, "no turn"),
        (
            {"chosen": [*ASKED, said(GOOD)], "rejected": [{"role": "user", "content": "3 + 3?"}, said(BAD)]},
            "part before their last turn",
        ),
    ],
)
def test_what_is_no_pair_says_why(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read_pair(row, as_messages)


def test_the_better_answer_must_be_what_the_capability_teaches() -> None:
    with pytest.raises(RowError, match="<think>"):
        read_pair(PAIRS["TRL, standard"], thinking.read)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "2 + 2?", "answer": "4"},
        {"prompt": ASKED, "solution": "$4$"},
        {"question": "2 + 2?", "ground_truth": 4},
        {"messages": ASKED, "answer": "4"},
        {"problem": "2 + 2?", "answer": 4},
    ],
)
def test_a_question_with_its_final_answer_is_a_prompt(row: dict[str, Any]) -> None:
    sample = read_prompt(row, cot.read, cot.can_score)
    assert sample["messages"][:-1] == ASKED and sample["answer"] == "4"
    assert cot.score(sample, GOOD).correct and not cot.score(sample, BAD).correct


def test_a_worked_answer_is_read_as_the_capability_reads_it() -> None:
    row = {"messages": [*ASKED, said("<think>\n2 and 2\n</think>\n\\boxed{4}")]}
    assert read_prompt(row, thinking.read, thinking.can_score) == thinking.read(row)


def test_without_an_answer_a_prompt_is_of_use_only_to_rewards_that_need_none() -> None:
    row = {"prompt": "Tell me a joke."}
    with pytest.raises(
        RowError, match=r"no answer that the verifier could compare with|known shape|without an answer"
    ):
        read_prompt(row, cot.read, cot.can_score)
    sample = read_prompt(row, cot.read, lambda _: True)
    assert sample["messages"] == [{"role": "user", "content": "Tell me a joke."}, said("")]


def test_prompts_of_tools_keep_the_calls() -> None:
    row = {
        "query": "Weather in Oslo?",
        "tools": '[{"name": "get_weather", "description": "", "parameters": {"city": {"type": "str"}}}]',
        "answers": '[{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
    }
    sample = read_prompt(row, tools.read, tools.can_score)
    assert sample["calls"] == [{"name": "get_weather", "arguments": {"city": "Oslo"}}]


def test_a_pair_is_tokenised_as_trl_does() -> None:
    from manus.data.tokens.rendering import render_pair

    words = tokenizer()
    pair = render_pair(words, read_pair(PAIRS["TRL, conversational"], cot.read))
    asked = words.apply_chat_template(ASKED, add_generation_prompt=True, return_dict=False)
    for side, text in ((pair.chosen, GOOD), (pair.rejected, BAD)):
        assert pair.prompt + side == words.apply_chat_template([*ASKED, said(text)], return_dict=False)
    assert pair.prompt == asked


Q, BETTER, WORSE = {"role": "user", "content": "q"}, said("good"), said("bad")
PAIRS_OF_PEERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "OpenAI": (
        {
            "input": {"messages": [Q], "tools": [], "parallel_tool_calls": True},
            "preferred_output": [BETTER],
            "non_preferred_output": [WORSE],
        },
        ["input.parallel_tool_calls"],
    ),
    "ms-swift": ({"messages": [Q, BETTER], "rejected_response": "bad"}, []),
    "ms-swift, conversations": (
        {"messages": [Q, BETTER], "rejected_messages": [Q, WORSE], "margin": 2},
        ["margin"],
    ),
    "ms-swift, query": ({"query": "q", "response": "good", "rejected_response": "bad"}, []),
    "LLaMA-Factory, older": ({"instruction": "q", "input": "", "output": ["good", "bad"]}, []),
}


@pytest.mark.parametrize("name", PAIRS_OF_PEERS)
def test_pairs_of_peers_are_read_as_they_mean_them(name: str) -> None:
    row, unread = PAIRS_OF_PEERS[name]
    columns = Columns.of(row)
    sample = read_pair(columns, as_messages)
    assert sample == {"messages": [Q, BETTER], "rejected": "bad"} and columns.unread(sample) == unread


def test_openais_functions_are_those_of_both_answers() -> None:
    call = {"type": "function", "function": {"name": "w", "arguments": "{}"}}
    row = {
        "input": {
            "messages": [Q],
            "tools": [{"type": "function", "function": {"name": "w", "parameters": {}}}],
        },
        "preferred_output": [{"role": "assistant", "tool_calls": [call]}],
        "non_preferred_output": [WORSE],
    }
    sample = read_pair(row, tools.read)
    assert (
        sample["calls"] == [{"name": "w", "arguments": {}}] and "<tools>" in sample["messages"][0]["content"]
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            {"messages": [Q, BETTER], "rejected_response": ["bad", "worse"]},
            "give whole conversations in 'rejected_messages'",
        ),
        ({"messages": [Q], "rejected_response": "bad"}, "does not end with the better answer"),
        (
            {"input": "q", "preferred_output": [BETTER], "non_preferred_output": [WORSE]},
            "no object with 'messages'",
        ),
        (
            {"prompt": [Q, {"role": "assistant", "content": "Sure, "}], "chosen": "a", "rejected": "b"},
            "ends with a turn of the assistant",
        ),
        (
            {"chosen": "The sky is blue.", "rejected": "The sky is green."},
            "no question, as a text or turns in prompt",
        ),
    ],
)
def test_pairs_that_are_not_whole_are_refused(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        read_pair(row, as_messages)


def test_answers_that_repeat_the_prompt_are_refused() -> None:
    row = {"prompt": "What is 2 + 2?", "chosen": "What is 2 + 2? 4.", "rejected": "What is 2 + 2? 5."}
    with pytest.raises(RowError, match="both begin with the prompt's own words"):
        read_pair(row, as_messages)
    assert read_pair({**row, "rejected": "5."}, as_messages)["rejected"] == "5."
    assert read_pair({"prompt": "Paris", "chosen": "Paris is", "rejected": "Paris was"}, as_messages)


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        ("<answer> 3 </answer>", "3"), ("\\boxed{3}", "3"), ("$3$", "3"), ("3 cats", "3 cats"),
        ("<think>t</think><answer>3</answer>", "3"), ("It is $\\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}"),
    ],
)  # fmt: skip
def test_the_answer_about_a_picture_is_compared_without_marks(answer: str, final: str) -> None:
    row = {"image": "a.png", "problem": "How many?", "solution": answer}
    assert read_prompt(row, vision_qa.read, vision_qa.can_score)["answer"] == final


def test_an_answer_is_that_of_the_last_question() -> None:
    turns = [*ASKED, said("\\boxed{4}"), {"role": "user", "content": "3 + 3?"}]
    sample = read_prompt({"messages": turns, "answer": "6"}, cot.read, cot.can_score)
    assert [one["content"] for one in sample["messages"]] == ["2 + 2?", "\\boxed{4}", "3 + 3?", "6"]
    assert sample["answer"] == "6"
    row = Columns.of({"messages": turns, "answer": "6"})
    assert "answer" not in as_messages(row) and row.unread(as_messages(row)) == ["answer"]


@pytest.mark.parametrize("answer", [float("nan"), "nan"])
def test_what_is_no_number_is_nothing_to_compare_with(answer: Any) -> None:
    with pytest.raises(RowError):
        read_prompt({"question": "q", "answer": answer}, cot.read, cot.can_score)
    with pytest.raises(RowError):
        read_prompt({"problem": "q", "answer": answer}, cot.read, cot.can_score)


def test_steps_before_a_marked_answer_are_not_compared() -> None:
    row = {"question": "q", "solution": "2 and 3\n#### 5"}
    assert read_prompt(row, cot.read, cot.can_score)["answer"] == "5"


def test_the_box_of_a_solution_is_what_is_compared() -> None:
    row: dict[str, Any] = {
        "question": "Human: q",
        "solution": "Thus \\boxed{5}.",
        "system": "nan",
        "level": float("nan"),
    }
    sample = read_prompt(row, cot.read, cot.can_score)
    assert sample["answer"] == "5" and "level" not in sample
    assert sample["messages"][0] == {"role": "user", "content": "q"}
    with pytest.raises(RowError):
        read_prompt({"question": "q", "solution": "\\boxed{1} or \\boxed{2}"}, cot.read, cot.can_score)


@pytest.mark.parametrize("tests", ['{"inputs": ["1"], "outputs": ["2"]}', '[{"id": "x"}]'])
def test_what_a_program_is_run_with_is_no_answer_to_compare_with(tests: str) -> None:
    row = {"prompt": ASKED, "reward_model": {"ground_truth": tests, "style": "rule"}}
    with pytest.raises(RowError):
        read_prompt(row, cot.read, cot.can_score)
