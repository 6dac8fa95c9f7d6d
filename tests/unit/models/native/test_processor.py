"""The processor of a base is loaded, and its chat template takes what our texts are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import AutoProcessor

from manus.data.tokens.rendering import render, render_prompt
from manus.errors import ModelError
from manus.models.native.processor import load_processor
from manus.models.tokenizer import load_tokenizer
from tests.pico_native import made

ASKED: list[dict[str, Any]] = [
    {"role": "user", "content": "How many?"},
    {"role": "assistant", "content": "Two."},
]


def in_parts(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]


@pytest.fixture
def llava(tmp_path: Path) -> Path:
    return made("llava", tmp_path / "llava")


def changed(folder: Path, **values: Any) -> None:
    """Change what `tokenizer_config.json` says."""
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_a_template_of_parts_writes_plain_texts_too(llava: Path) -> None:
    own = AutoProcessor.from_pretrained(llava)
    assert "How many?" not in own.apply_chat_template(ASKED), "as published, it would write nothing of a text"
    tokenizer = load_tokenizer(llava)
    written = tokenizer.apply_chat_template(ASKED, tokenize=False)
    assert written == own.apply_chat_template(in_parts(ASKED))
    learned = render(tokenizer, {"messages": ASKED})  # type: ignore[typeddict-item]
    assert tokenizer.decode(
        [i for i, is_in in zip(learned.ids, learned.is_learned, strict=True) if is_in]
    ).startswith("Two.")


def test_a_template_of_both_stays_as_it_is(tmp_path: Path) -> None:
    folder = made("gemma3", tmp_path)
    assert load_tokenizer(folder).chat_template == (folder / "chat_template.jinja").read_text()


def test_the_token_that_begins_texts_is_written_where_the_processor_adds_it(llava: Path) -> None:
    tokenizer = load_processor(llava).tokenizer
    backend = tokenizer.backend_tokenizer
    backend.post_processor = TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    backend.save(str(llava / "tokenizer.json"))
    changed(llava, bos_token="<|endoftext|>")
    own = AutoProcessor.from_pretrained(llava)
    expected = own.apply_chat_template(in_parts(ASKED), tokenize=True, return_dict=True)["input_ids"][0]
    assert expected[0] == 0
    assert render(load_tokenizer(llava), {"messages": ASKED}).ids == expected  # type: ignore[typeddict-item]


def test_without_a_template_media_stand_by_their_placeholders(llava: Path) -> None:
    (llava / "chat_template.jinja").unlink()
    parts = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How many?"}]}]
    tokenizer = load_tokenizer(llava)
    assert tokenizer.apply_chat_template(parts, tokenize=False) == "<|user|>\n<image>How many?\n"
    assert tokenizer.apply_chat_template(ASKED[:1], tokenize=False) == "<|user|>\nHow many?\n"


# As they are published; what begins and ends texts, and who takes what, differs.
LLAVA_15 = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}"
    "{% endif %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}"
    "{% endfor %}"
    "{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] + ' '}}{% endfor %}{% else %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
SMOLVLM = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "learned"),
    [(LLAVA_15, " Two.<|im_end|> "), (SMOLVLM, " Two.<|im_end|>\n")],
    ids=["llava", "smolvlm"],
)
def test_templates_as_published(llava: Path, template: str, learned: str) -> None:
    (llava / "chat_template.jinja").write_text(template)
    tokens = render(load_tokenizer(llava), {"messages": ASKED})  # type: ignore[typeddict-item]
    tokenizer = load_tokenizer(llava)
    kept = [token for token, is_in in zip(tokens.ids, tokens.is_learned, strict=True) if is_in]
    assert tokenizer.decode(kept) == learned, "the answer, and what ends it"
    prompt = render_prompt(tokenizer, ASKED[:1])
    assert prompt == AutoProcessor.from_pretrained(llava).apply_chat_template(
        in_parts(ASKED[:1]), add_generation_prompt=True
    )
    assert tokenizer.decode(tokens.ids).startswith(prompt)


def test_every_answer_ends_where_the_template_ends_none(llava: Path) -> None:
    (llava / "chat_template.jinja").write_text(LLAVA_15)
    tokens = render(load_tokenizer(llava), {"messages": [*ASKED, *ASKED]})  # type: ignore[typeddict-item]
    kept = [token for token, is_in in zip(tokens.ids, tokens.is_learned, strict=True) if is_in]
    assert load_tokenizer(llava).decode(kept) == " Two.<|im_end|>  Two.<|im_end|> "


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{% for m in messages %}x{% endfor %}"])
def test_a_template_that_writes_no_question_is_refused(llava: Path, template: str) -> None:
    (llava / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelError, match="chat template cannot write a plain question"):
        load_tokenizer(llava)


def test_a_base_without_its_processor_is_refused(llava: Path) -> None:
    (llava / "processor_config.json").unlink()
    with pytest.raises(ModelError, match="its processor cannot be loaded"):
        load_tokenizer(llava)


@pytest.mark.parametrize("family", ["qwen2_vl", "smolvlm"])
def test_a_processor_is_loaded_without_its_part_for_videos(tmp_path: Path, family: str) -> None:
    """Transformers' own way needs torchvision for that part."""
    folder = made(family, tmp_path)
    with pytest.raises((ImportError, ValueError, OSError), match=r"(?i)torchvision|video"):
        AutoProcessor.from_pretrained(folder)
    processor = load_processor(folder)
    assert processor.video_processor is None and processor.image_processor is not None
