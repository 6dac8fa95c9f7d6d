"""Loads the processor of a base that has senses of its own, and makes its chat template fit all our texts.

Knows nothing of samples or weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoProcessor, PreTrainedTokenizerBase
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES, processor_class_from_name
from transformers.processing_utils import ProcessorMixin
from transformers.utils import is_torchvision_available

from manus.data.sample import RowError
from manus.data.tokens.chat_templates import own_tokens, template_at_work
from manus.errors import ModelError, blamed_on
from manus.models.json_files import read_object
from manus.models.loaders import load_from

PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
VIDEO_PART = "video_processor"
BEGINNING = "{{- bos_token }}"
TRIED, ANSWERED = "How many?", "Two of them."
_AS_TEXT: list[dict[str, Any]] = [{"role": "user", "content": TRIED}]
_IN_PARTS: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": TRIED}]}]
_WITH_ANSWER: list[dict[str, Any]] = [*_AS_TEXT, {"role": "assistant", "content": ANSWERED}]


def load_processor(folder: Path) -> Any:
    """Load a model's own processor; where torchvision is missing, without the part for video, which needs it.

    Raises:
        ModelError: the folder has none, or it cannot be loaded.
    """
    failed = f"{folder}: its processor cannot be loaded"
    with blamed_on(failed, ModelError):
        name = _class_name(folder)
        kind = processor_class_from_name(name) if name else None
        if kind is None or VIDEO_PART not in kind.get_attributes() or is_torchvision_available():
            processor = load_from(AutoProcessor, folder, failed)
        else:
            processor = _without_video(kind, folder)
    if not isinstance(processor, ProcessorMixin) or getattr(processor, "tokenizer", None) is None:
        raise ModelError(f"{folder} has no processor for text and media; give the model's whole folder")
    return processor


def _class_name(folder: Path) -> str | None:
    """Return the processor class that a folder names, else the usual one of its type of model."""
    for file in PROCESSOR_FILES:
        if (folder / file).is_file():
            name = read_object(folder / file).get("processor_class")
            if name is not None:
                return str(name)
    model_type = read_object(folder / "config.json")["model_type"]
    usual: str | None = PROCESSOR_MAPPING_NAMES.get(model_type)
    return usual


def _without_video(kind: Any, folder: Path) -> Any:
    """Load a processor with nothing in the place of its part for videos."""

    def accepts(self: Any, name: str, part: Any) -> Any:
        return None if part is None else kind.check_argument_for_proper_class(self, name, part)

    names = kind.get_attributes()
    others: Any = type(
        kind.__name__,
        (kind,),
        {"get_attributes": classmethod(lambda _: [n for n in names if n != VIDEO_PART])},
    )
    values, rest = kind.get_processor_dict(folder, local_files_only=True)
    parts = others._get_arguments_from_pretrained(
        folder, values, local_files_only=True, trust_remote_code=False
    )
    parts.insert(names.index(VIDEO_PART), None)
    partial: Any = type(kind.__name__, (kind,), {"check_argument_for_proper_class": accepts})
    return partial.from_args_and_dict(parts, values, **rest)


def fitted_tokenizer(processor: Any, folder: Path) -> PreTrainedTokenizerBase:
    """Return the processor's tokenizer, with a template for what our texts are.

    It takes plain texts where the base's own wants contents in parts, writes the token that the processor
    would put before a text, and ends answers with the end-of-text token where the base's own ends them with
    none.

    Raises:
        ModelError: the tokenizer or the template cannot be used.
    """
    tokenizer: PreTrainedTokenizerBase = processor.tokenizer
    if not tokenizer.is_fast:
        raise ModelError(
            f"{folder}: {type(tokenizer).__name__} gives no character offsets; a fast tokenizer is needed"
        )
    if tokenizer.eos_token is None:
        raise ModelError(f"{folder}: the tokenizer has no end-of-text token (eos_token)")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    given = getattr(processor, "chat_template", None) or tokenizer.chat_template
    template = given["default"] if isinstance(given, dict) else given or plain_template(processor)
    text = _written(tokenizer, template, _IN_PARTS)
    if text is None or TRIED not in text:
        raise ModelError(f"{folder}: its chat template cannot write a plain question")
    takes_parts_only = _written(tokenizer, template, _AS_TEXT) != text
    if takes_parts_only:
        template = rewriting(True, False) + template
    if not ends_answers(tokenizer, template):
        template = rewriting(takes_parts_only, True) + template.removeprefix(rewriting(True, False))
    if begins_texts(tokenizer) and not text.startswith(str(tokenizer.bos_token)):
        template, text = BEGINNING + template, f"{tokenizer.bos_token}{text}"
    if any(_written(tokenizer, template, turns) != text for turns in (_IN_PARTS, _AS_TEXT)):
        raise ModelError(f"{folder}: its chat template writes plain texts in another way than texts in parts")
    if not ends_answers(tokenizer, template):
        raise ModelError(
            f"{folder}: its chat template leaves no answer with an end; a model would not learn to stop"
        )
    tokenizer.chat_template = template
    return tokenizer


def rewriting(into_parts: bool, ends_answers: bool) -> str:
    """Return the head of a template that rewrites messages whose contents are plain texts.

    Args:
        into_parts: many templates go through the parts of a content, and would write nothing of a plain text.
        ends_answers: some end no answer, and a model that learns them would not stop.
    """
    text = (
        "turn['content'] + (eos_token if turn['role'] == 'assistant' else '')"
        if ends_answers
        else "turn['content']"
    )
    content = f"[{{'type': 'text', 'text': {text}}}]" if into_parts else text
    return (
        "{%- set turns = namespace(all=[]) -%}{%- for turn in messages -%}"
        "{%- if turn['content'] is string -%}"
        f"{{%- set turns.all = turns.all + [dict(turn, content={content})] -%}}"
        "{%- else -%}{%- set turns.all = turns.all + [turn] -%}{%- endif -%}{%- endfor -%}"
        "{%- set messages = turns.all %}"
    )


def begins_texts(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether a tokenizer puts a token of its own before a text."""
    return tokenizer.bos_token is not None and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id


def ends_answers(tokenizer: PreTrainedTokenizerBase, template: str) -> bool | None:
    """Tell whether a template writes a token of its own, as those that end a turn are, behind an answer.

    None where it writes no such answer.
    """
    text = _written(tokenizer, template, _WITH_ANSWER)
    if text is None or ANSWERED not in text:
        return None
    return any(token.strip() and token in text.rpartition(ANSWERED)[2] for token in own_tokens(tokenizer))


def plain_template(processor: Any) -> str:
    """Return a plain template for a base that has none: media in place, each by its own placeholder."""
    marks = {kind: getattr(processor, f"{kind}_token", None) for kind in ("image", "audio")}
    media = "".join(f"{{% elif p['type'] == '{kind}' %}}{mark}" for kind, mark in marks.items() if mark)
    return (
        "{% for m in messages %}<|{{ m['role'] }}|>\n"
        "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
        "{% for p in m['content'] %}{% if p['type'] == 'text' %}{{ p['text'] }}"
        + media
        + "{% endif %}{% endfor %}"
        "{% endif %}{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
    )


def _written(tokenizer: Any, template: str, turns: list[dict[str, Any]]) -> str | None:
    """Return what a template writes; None where it refuses."""
    try:
        with template_at_work():
            text: str = tokenizer.apply_chat_template(turns, chat_template=template, tokenize=False)
    except RowError:
        return None
    return text
