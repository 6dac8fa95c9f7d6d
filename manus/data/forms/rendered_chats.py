"""Tells chats that a template has written from plain words. Knows neither rows nor the template to come."""

from __future__ import annotations

import re

from manus.data.forms.call_forms import END_MARKS
from manus.data.forms.thought_format import CLOSE, OPEN

_BEGINS = r"(?:<s>|<bos>|<\|begin_of_text\|>|<\|endoftext\|>|\[gMASK\]<sop>|<｜begin▁of▁sentence｜>)?"
_SPEAKERS = r"(?:system|user|human|assistant|prompter|model|System|User|Assistant)"
_RENDERED = re.compile(
    rf"\A{_BEGINS}\s*(?:<\|im_start\|>{_SPEAKERS}\b|\[INST\]|<\|start_header_id\|>"
    rf"|<start_of_turn>{_SPEAKERS}\b"
    rf"|<\|{_SPEAKERS}\|>|<｜User｜>|<\|start_of_role\|>|<\|START_OF_TURN_TOKEN\|>"
    rf"|<extra_id_[01]>{_SPEAKERS}\b|<<SYS>>|<human>:)"
    rf"|^<extra_id_1>{_SPEAKERS}$|\AGPT\d (?:Correct )?User:|\A<\|Human\|>|\bUSER: [\s\S]*\bASSISTANT:\s*\Z"
    r"|\A\[USER\][\s\S]*\[ASSISTANT\]\s*\Z"
    r"|(?:<\|im_start\|>assistant|\[/INST\]|<\|start_header_id\|>assistant<\|end_header_id\|>"
    r"|<start_of_turn>model"
    r"|<\|assistant\|>|<｜Assistant｜>)\s*\Z",
    re.MULTILINE,
)
# A dialogue behind other words, that asks for the next answer.
_DIALOGUE = re.compile(r"^(?:### ?)?(?:Human|User): ", re.MULTILINE)
_ASKS = re.compile(r"^(?:### ?)?(?:Assistant|AI):\s*\Z", re.MULTILINE)
_ANSWERED = re.compile(
    r"\A\s*(?:<\|channel\|>|<\|start\|>assistant|<\|im_start\|>assistant|<\|start_header_id\|>"
    r"|<start_of_turn>model|\[/INST\]"
    r"|<\|assistant\|>|<｜Assistant｜>)"
    r"|<\|eot_id\|><\|start_header_id\|>|<\|im_end\|>\n<\|im_start\|>|<end_of_turn>\n<start_of_turn>"
    r"|</s>\s*<s>\s*\[INST\]"
)
_ENDS = (
    *END_MARKS,
    "<|end|>",
    "<pad>",
    "<end_of_turn>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<｜end▁of▁sentence｜>",
)
_STRUCK = "<s>"  # of HTML, which </s> then closes


def template_mark(text: str, is_answer: bool = False) -> str | None:
    """Return the mark by which a text shows that a chat template wrote it; None where it shows none.

    Chats of ChatML, Llama, Mistral, Gemma, Zephyr, Phi, DeepSeek, Granite, Command R and Nemotron
    (HelpSteer2) are known: by how they begin, or by how they ask for an answer. Words about such marks are
    not taken for one.
    """
    found = (_ANSWERED if is_answer else _RENDERED).search(text)
    if found is None and not is_answer and _DIALOGUE.search(text):
        found = _ASKS.search(text)
    return found[0].strip() if found else None


def ended(text: str) -> str:
    """Return what is said without a template's end marks; Llama's begin with a space behind theirs."""
    if text.startswith("<s> ") and text.count(_STRUCK) == 1:
        text = text.removeprefix("<s> ")
    while mark := next((mark for mark in _ENDS if text.endswith(mark)), None):
        if mark == "</s>" and _STRUCK in text:
            break
        text = text.removesuffix(mark).rstrip()
    return text


def closed_and_ended(text: str) -> str:
    """Return an answer as it is said: without the mark that a template ended it with, its thought opened.

    DeepSeek-R1's answers and their like close a thought that their prompt opened, on a line of its own.
    """
    text = ended(text)
    thought, closing, _ = text.partition(f"\n{CLOSE}\n")
    return f"{OPEN}\n{text}" if closing and thought and OPEN not in text else text
