"""What is learned is what the assistant says and the mark that ends it, in models' published templates."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError

from manus.data.sample import Message, RowError, Sample, Tokens
from manus.data.tokens.answer_places import written
from manus.data.tokens.chat_templates import FIRST_MARK, ends_of_answers, opened_thought
from manus.data.tokens.rendering import render, render_pair, render_prompt, renderings
from tests.unit.data.tokens.published_templates import CLOSED, KEPT_BY_TRL, PUBLISHED, Published, kept

Chat = list[Message]
ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
CALL = '<tool_call>\n{"name":"w","arguments":{"c":"Oslo"}}\n</tool_call>'
TOOL_RESULT = "minus 12 degrees"


def chat(*turns: str) -> Chat:
    """Return turns that are written as `u: what the user says`."""
    return [{"role": ROLES[turn[0]], "content": turn[3:]} for turn in turns]  # type: ignore[typeddict-item]


PLAIN = {
    "one turn": chat("u: Which, d or e?", "a: d"),
    "several turns": chat("u: first", "a: one", "u: and", "a: e", "u: again", "a: three  words\n\n here"),
    "what a mark holds": chat("u: q", "a: im_end", "u: q", "a: end", "u: a", "a: |>", "u: >", "a: s"),
    "the role's names": chat("u: user", "a: assistant", "u: model", "a: user", "u: assistant", "a: think"),
    "the same again": chat("u: yes", "a: yes", "u: yes", "a: yes", "u: yes", "a: yes"),
    "unicode": chat("u: naïve 😀", "a: ﬁne 😀😀", "u: \u0646\u0639\u0645", "a: \u4f60\u597d\ufeff"),
    "private characters": chat(
        f"u: {chr(FIRST_MARK)}", f"a: a{chr(FIRST_MARK + 1)}b", "u: q", f"a: {chr(FIRST_MARK)}"
    ),
    "a system turn": chat("s: be brief", "u: q", "a: x", "u: q", "a: y"),
    "white space": chat("u: q", "a:  a\n", "u:  q ", "a: \n b"),
}
TOOLS = chat("u: weather?", f"a: {CALL}", f"t: {TOOL_RESULT}", "a: It is cold.", "u: and?", "a: ok")


def runs(tokenizer: Any, tokens: Tokens) -> list[str]:
    """Return the texts of the tokens that are learned in a row."""
    found: list[list[int]] = [[]]
    for token, is_learned in zip(tokens.ids, tokens.is_learned, strict=True):
        if is_learned:
            found[-1].append(token)
        elif found[-1]:
            found.append([])
    return [tokenizer.decode(ids) for ids in found if ids]


def taught(tokenizer: Any, messages: Chat) -> list[str]:
    """Return what each turn of the assistant teaches, in the order of the conversation."""
    pieces = [runs(tokenizer, tokens) for tokens in renderings(tokenizer, {"messages": messages})]
    apart = list(written(tokenizer, messages).apart)
    places = [place for place, turn in enumerate(messages) if turn["role"] == "assistant"]
    within = [place for place in places if place not in apart]
    assert len(pieces) == 1 + len(apart) and len(pieces[0]) == len(within), (pieces, apart)
    assert all(len(piece) == 1 for piece in pieces[1:])
    by_place = dict(zip(within, pieces[0], strict=True)) | dict(
        zip(apart, (p[0] for p in pieces[1:]), strict=True)
    )
    return [by_place[place] for place in places]


def meant(published: Published, messages: Chat) -> list[str]:
    """Return what each of the assistant's turns must teach."""
    found = []
    for place, turn in enumerate(messages):
        if turn["role"] == "assistant":
            is_last = place == len(messages) - 1 or published.is_apart
            opening = published.opening if is_last else published.earlier_opening
            found.append(f"{opening}{turn['content'].strip()}{published.ends[0 if is_last else 1]}")
    return found


@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_answer_is_learned_to_the_letter_with_its_end(name: str, case: str) -> None:
    published, messages = PUBLISHED[name], PLAIN[case]
    tokenizer = published.tokenizer()
    told = taught(tokenizer, messages)
    if case == "white space":  # templates trim it, or not
        told, expected = (
            [_trimmed(text, published) for text in told],
            [turn["content"].strip() for turn in messages[1::2]],
        )
        assert told == expected
    else:
        assert told == meant(published, messages)


def _trimmed(text: str, published: Published) -> str:
    end = next(end for end in published.ends if text.endswith(end))
    return text.removesuffix(end).removeprefix(published.opening).strip()


@pytest.mark.parametrize("name", PUBLISHED)
def test_calls_and_results_are_learned_and_shown_or_the_turn_is_named(name: str) -> None:
    published = PUBLISHED[name]
    tokenizer = published.tokenizer()
    if "tool" in published.hides:
        with pytest.raises(
            RowError, match=r"^turn [34] \((tool|assistant)\): the chat template (leaves it out|refuses)"
        ):
            render(tokenizer, {"messages": TOOLS})
        return
    assert TOOL_RESULT in written(tokenizer, TOOLS).text
    if name == "deepseek-r1-distill":  # behind a result it asks for the answer without a thought
        end = published.ends[0]
        assert taught(tokenizer, TOOLS) == [f"{CLOSED}{CALL}{end}", f"It is cold.{end}", f"{CLOSED}ok{end}"]
    else:
        assert taught(tokenizer, TOOLS) == meant(published, TOOLS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_thoughts_are_learned_wherever_they_stand(name: str) -> None:
    """None is dropped, though most templates drop those before; what is asked is not learned again."""
    tokenizer = PUBLISHED[name].tokenizer()
    messages = chat(
        "u: q", "a: <think>\nhm\n</think>\nsome words", "u: r", "a: <think>\nso\n</think>\nother words"
    )
    told = taught(tokenizer, messages)
    prompt = render_prompt(tokenizer, messages[:1])
    for text, thought, words in zip(told, ("hm", "so"), ("some words", "other words"), strict=True):
        shown = opened_thought(prompt) + text
        if "</think>" not in prompt[-30:]:
            assert re.search(
                rf"<think>\s*{thought}\s*</think>\s*{words}<|{thought}\s*</think>\s*{words} <", shown
            ), text
            assert shown.count("<think>") == shown.count("</think>") == 1
        assert text.rstrip().endswith(tuple(end.rstrip() for end in PUBLISHED[name].ends))


@pytest.mark.parametrize("case", PLAIN)
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_last_answer_is_learned_behind_what_is_asked(name: str, case: str) -> None:
    tokenizer, messages = PUBLISHED[name].tokenizer(), PLAIN[case]
    asked = tokenizer(render_prompt(tokenizer, messages[:-1]), add_special_tokens=False)["input_ids"]
    tokens = render(tokenizer, {"messages": messages})
    assert tokens.ids[: len(asked)] == asked
    assert tokens.is_learned[len(asked) - 1 :] == [False, *[True] * (len(tokens.ids) - len(asked))]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_end_of_an_answer_ends_generation(name: str) -> None:
    published = PUBLISHED[name]
    tokenizer = published.tokenizer()
    (end,) = tokenizer.convert_ids_to_tokens(ends_of_answers(tokenizer))
    assert published.ends[0].strip().startswith(end)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_pair_goes_apart_behind_what_is_asked(name: str) -> None:
    tokenizer = PUBLISHED[name].tokenizer()
    sample: Sample = {
        "messages": chat("s: be brief", "u: q", "a: x", "u: r", "a: right"),
        "rejected": "wrong",
    }
    pair, end = render_pair(tokenizer, sample), PUBLISHED[name].ends[0]
    asked = render_prompt(tokenizer, sample["messages"][:-1])
    assert asked.startswith(tokenizer.decode(pair.prompt)) or tokenizer.decode(pair.prompt).startswith(asked)
    assert tokenizer.decode(pair.chosen).endswith(f"right{end}") and tokenizer.decode(pair.rejected).endswith(
        f"wrong{end}"
    )


def test_functions_go_into_the_users_turn_where_no_system_turn_is_taken() -> None:
    tokenizer = PUBLISHED["gemma"].tokenizer()
    messages = chat("s: <tools>...</tools>", "u: q", "a: x")
    text = written(tokenizer, messages).text
    assert text == (
        "<s><start_of_turn>user\n<tools>...</tools>\n\nq<end_of_turn>\n<start_of_turn>model\nx<end_of_turn>\n"
    )
    assert render_prompt(tokenizer, messages[:-1]) == text.removesuffix("x<end_of_turn>\n")


def test_a_system_turn_that_a_template_leaves_out_goes_into_the_users_turn() -> None:
    template = kept("lfm2").replace("system", "nobody")
    tokenizer = Published(template, ("", "")).tokenizer()
    tokenizer.chat_template = "{% for m in messages if m['role'] != 'system' %}" + (
        "<{{ m['role'] }}>{{ m['content'] }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    assert (
        written(tokenizer, chat("s: be brief", "u: q", "a: x")).text
        == "<user>be brief\n\nq</s><assistant>x</s>"
    )


def test_the_marks_of_training_templates_agree() -> None:
    """TRL's variants mark what the assistant generates (`{% generation %}`).

    Where they write the same text, we learn what they mark to the letter, but for the end of the prompt that
    some mark too.
    """
    names = sorted(path.stem.removesuffix("_training") for path in KEPT_BY_TRL.glob("*_training.jinja"))
    agreed = [name for name in names if _agrees(name)]
    assert {"phi3", "llama3", "gemma3", "cohere", "qwen2_5", "qwen3_instruct_2507"} <= set(agreed)
    assert len(agreed) >= 14, agreed


def _agrees(name: str) -> bool:
    """Compare; False where the variant writes another text, or takes contents in parts alone."""
    tokenizer, messages = Published(kept(name), ("", "")).tokenizer(), PLAIN["several turns"]
    whole = written(tokenizer, messages)
    try:
        told = tokenizer.apply_chat_template(
            messages,
            chat_template=kept(f"{name}_training"),
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
    except TemplateError:
        return False
    if whole.apart or tokenizer.decode(told["input_ids"]) != whole.text:
        return False
    theirs = runs(tokenizer, Tokens(told["input_ids"], [bool(mark) for mark in told["assistant_masks"]]))
    for (begin, end), marked in zip(whole.learned, theirs, strict=True):
        own = whole.text[begin:end]
        assert marked.endswith(own), name
        assert whole.text[:begin].endswith(marked.removesuffix(own)), name
        assert marked == own or name in ("muse_glimmer", "qwen2_5", "qwen3_8"), name
    return True


ASKS_ALWAYS = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ '### Instruction:\n' + m['content'] + '\n' }}"
    "{% else %}{{ '### Response:\n' + m['content'] + '\n<|EOT|>\n' }}{% endif %}{% endfor %}"
    "{{ '### Response:\n' }}"
)


def test_what_asks_for_the_next_answer_is_no_end_of_one() -> None:
    """As DeepSeek-Coder's template has it, whether it is to ask or not."""
    tokenizer, messages = (
        Published(ASKS_ALWAYS, ("", "")).tokenizer(),
        chat("u: q", "a: one", "u: r", "a: two"),
    )
    assert [text.rstrip() for text in taught(tokenizer, messages)] == ["one\n<|EOT|>", "two\n<|EOT|>"]
    assert tokenizer.convert_ids_to_tokens(ends_of_answers(tokenizer)) == ["<|EOT|>"]


def test_a_template_that_changes_the_words_is_refused() -> None:
    shouting = "{% for m in messages %}<{{ m['role'] }}>{{ m['content']|upper }}</s>{% endfor %}<assistant>"
    with pytest.raises(RowError, match="does not show the answer as it stands in the data"):
        render(Published(shouting, ("", "")).tokenizer(), {"messages": chat("u: q", "a: one")})


WORDS = st.lists(
    st.sampled_from(["d", "e", " ", "\n", "<", "|", ">", "im_end", "<|im_end|>", "</s>", "<think>", "[/INST]",
                     "é", "😀", "user", "assistant", "<|im_start|>assistant\n", chr(FIRST_MARK),
                     chr(FIRST_MARK + 3)]),
    min_size=1, max_size=6,
).map("".join).filter(str.strip)  # fmt: skip
TURN = st.tuples(WORDS, WORDS)


@pytest.mark.parametrize(
    "name", ["chatml", "qwen3", "phi3", "llama2", "gemma", "deepseek-r1-distill", "glm4"]
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turns=st.lists(TURN, min_size=1, max_size=4))
def test_whatever_is_said_is_learned_or_refused_by_name(name: str, turns: list[tuple[str, str]]) -> None:
    published = PUBLISHED[name]
    tokenizer = published.tokenizer()
    messages: Chat = []
    for question, said in turns:
        messages += [
            {"role": "user", "content": question.strip()},
            {"role": "assistant", "content": said.strip()},
        ]
    if any("think" in said for _, said in turns):
        return
    whole = written(tokenizer, messages)
    texts = {place: whole.text[begin:end] for place, (begin, end) in whole.spans.items()}
    for place in whole.apart:
        alone = written(tokenizer, messages[: place + 1])
        texts[place] = alone.text[slice(*alone.learned[-1])]
    assert [texts[place] for place in sorted(texts)] == meant(published, messages)
