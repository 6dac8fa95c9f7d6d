"""Where answers end: at the end that the template writes, in every way of asking and in the merged folder."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from manus.data.tokens.rendering import render, render_prompt
from manus.evaluation.answers import answer
from manus.models.generation.settings import drawn, ends_of_turn, greedy
from manus.models.loading.composition import load_model
from manus.models.loading.folders import copy_tokenizer, write_ends, write_template
from manus.models.tokenizer import DEFAULT_TEMPLATE, load_tokenizer
from manus.training.trainers.grpo import as_shown, component
from tests.pico import TEMPLATE, tokenizer

CHAT: Any = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def with_another_end() -> PreTrainedTokenizerFast:
    """Return a tokenizer like Qwen2.5's base: its template ends turns by another token than its texts."""
    made = tokenizer()
    made.add_special_tokens({"eos_token": "<|endoftext|>"})
    return made


def with_beginning(template: str | None) -> PreTrainedTokenizerFast:
    """Return a tokenizer that puts a token of its own before a text."""
    made = tokenizer()
    made.add_special_tokens({"bos_token": "<s>"})
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", made.bos_token_id)]
    )
    made.chat_template = template
    return made


def folder_of(tmp_path: Path, made: PreTrainedTokenizerFast) -> Path:
    made.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.mark.parametrize("known", [None, 0, [0, 7]])
def test_generation_ends_where_the_template_ends_an_answer(known: Any) -> None:
    made = with_another_end()
    end, text_end = made.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    model: Any = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=known))
    told = known if isinstance(known, list) else []
    expected = sorted({end, text_end, *told})
    assert ends_of_turn(model, made) == expected
    assert [*greedy(model, made, 4).ends] == [*drawn(model, made, 4, 1.0, 1.0).ends] == expected


def test_an_answer_ends_there_though_texts_end_otherwise(pico_base: Path) -> None:
    model, made = load_model(pico_base, torch.float32), load_tokenizer(pico_base)
    sample: Any = {"messages": [{"role": "user", "content": "last of 3 8 5"}, CHAT[1]]}
    (expected,) = answer(model, made, [sample], 40, "ask")
    assert expected.endswith("\\boxed{5}.")
    made.add_special_tokens({"eos_token": "<|endoftext|>"})
    model.generation_config.eos_token_id = made.eos_token_id
    assert answer(model, made, [sample], 40, "ask") == [expected]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, ["<|endoftext|>", "<|im_end|>"]),
        ({"eos_token_id": 0, "temperature": 0.7}, ["<|endoftext|>", "<|im_end|>"]),
        ({"eos_token_id": [2, 0]}, ["<|im_end|>", "<|endoftext|>"]),
    ],
)
def test_the_merged_folder_says_so(tmp_path: Path, settings: Any, expected: list[str]) -> None:
    made, path = with_another_end(), tmp_path / "generation_config.json"
    if settings is not None:
        path.write_text(json.dumps(settings))
    write_ends(tmp_path, made)
    told = json.loads(path.read_text())
    assert made.convert_ids_to_tokens(told.pop("eos_token_id")) == expected
    assert told == {name: value for name, value in (settings or {}).items() if name != "eos_token_id"}


def test_a_folder_that_says_it_already_is_left_as_it_is(tmp_path: Path) -> None:
    made, path = tokenizer(), tmp_path / "generation_config.json"
    path.write_text(f'{{"eos_token_id":{made.eos_token_id}}}')
    write_ends(tmp_path, made)
    assert path.read_text() == f'{{"eos_token_id":{made.eos_token_id}}}'


def test_chats_of_a_base_without_a_template_begin_as_its_texts_do(tmp_path: Path) -> None:
    base = folder_of(tmp_path, with_beginning(None))
    made, out = load_tokenizer(base), tmp_path / "out"
    begin = made.bos_token_id
    asked = made(render_prompt(made, CHAT[:1]), add_special_tokens=False)["input_ids"]
    chat, text = render(made, {"messages": CHAT}).ids, render(made, {"text": "a"}).ids
    assert [ids.count(begin) for ids in (asked, chat, text)] == [1, 1, 1]
    assert asked[0] == chat[0] == text[0] == begin
    out.mkdir()
    copy_tokenizer(base, out)
    write_template(out, made)
    merged = AutoTokenizer.from_pretrained(out)
    assert merged.apply_chat_template(CHAT, return_dict=False) == chat


def test_a_base_without_either_gets_the_plain_template(tmp_path: Path) -> None:
    made = tokenizer()
    made.chat_template = None
    assert load_tokenizer(folder_of(tmp_path, made)).chat_template == DEFAULT_TEMPLATE


def test_a_published_template_stays_as_it_is(tmp_path: Path) -> None:
    base, out = folder_of(tmp_path, with_beginning(TEMPLATE)), tmp_path / "out"
    made = load_tokenizer(base)
    assert made.chat_template == TEMPLATE
    out.mkdir()
    copy_tokenizer(base, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    write_template(out, made)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_a_template_that_ends_no_answer_is_written_as_it_was_trained_with(tmp_path: Path) -> None:
    made = tokenizer()
    made.chat_template = (
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    base, out = folder_of(tmp_path, made), tmp_path / "out"
    fitted = load_tokenizer(base)
    out.mkdir()
    copy_tokenizer(base, out)
    write_template(out, fitted)
    assert (
        AutoTokenizer.from_pretrained(out).apply_chat_template(CHAT, tokenize=False)
        == "<user>q<assistant>a<|im_end|>"
    )


def test_a_thought_that_the_prompt_opens_is_the_answers(pico_base: Path) -> None:
    model, made = load_model(pico_base, torch.float32), load_tokenizer(pico_base)
    sample: Any = {"messages": CHAT}
    (plain,) = answer(model, made, [sample], 3, "ask")
    assert not plain.startswith("<think>")
    made.chat_template = made.chat_template.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
    (thought,) = answer(model, made, [sample], 3, "ask")
    assert thought.startswith("<think>")
    seen: list[list[str]] = []
    ledger: Any = SimpleNamespace(
        scores=lambda step, samples, said, batch: (
            seen.append(said) or SimpleNamespace(components={"one": [0.0]})
        )
    )
    score = component("one", lambda: 0, ledger, made)
    score(
        prompts=[CHAT[:1]],
        completions=[[{"role": "assistant", "content": "so"}]],
        sample=[json.dumps(sample)],
    )
    assert seen == [["<think>\nso"]]


def test_prompts_are_handed_to_trl_as_the_template_takes_them() -> None:
    made, asked = tokenizer(), [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    prompts = Dataset.from_list([{"prompt": asked[1:], "sample": "{}"}, {"prompt": asked, "sample": "{}"}])
    assert as_shown(prompts, made) is prompts
    made.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}" + TEMPLATE
    )
    shown = as_shown(prompts, made)
    assert shown["prompt"][:] == [asked[1:], [{"role": "user", "content": "s\n\nq"}]]
    assert made.apply_chat_template(shown["prompt"][1], tokenize=False) == render_prompt(
        made, asked
    ).removesuffix("<|im_start|>assistant\n")
