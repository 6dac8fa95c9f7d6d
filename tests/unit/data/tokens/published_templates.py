"""Chat templates as models publish them, and tokenizers that write them. Those of TRL are read from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import trl
from transformers import PreTrainedTokenizerFast

from manus.models.tokenizer import fit_template
from tests.pico import TEMPLATE
from tests.pico import tokenizer as pico_tokenizer

KEPT_BY_TRL = Path(trl.__file__).parent / "chat_templates"
OWN_TOKENS = re.compile(
    r"<\|[a-zA-Z_]+\|>|<｜[^｜]+｜>|<(?:start|end)_of_turn>|<end_of_utterance>|<turn\|>"
    r"|\[/?(?:INST|TOOL_CALLS)\]"
)
ALTERNATES = (
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
)
LLAMA_2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    + ALTERNATES
    + "{% if loop.index0 == 0 "
    "and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + "
    "message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MISTRAL_7B_V01 = (
    "{{ bos_token }}{% for message in messages %}" + ALTERNATES + "{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ message['content'] + eos_token}}{% else %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}"
    "{% endif %}{% endfor %}"
)
# What the system says stands before the last question, and nowhere once there is an answer to it.
MISTRAL_7B_V03 = (
    '{%- if messages[0]["role"] == "system" %}{%- set system_message = messages[0]["content"] %}'
    "{%- set loop_messages = messages[1:] %}{%- else %}{%- set loop_messages = messages %}{%- endif %}"
    "{{- bos_token }}"
    '{%- for message in loop_messages %}{%- if message["role"] == "user" %}'
    "{%- if loop.last and system_message is defined %}"
    '{{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}'
    '{%- else %}{{- "[INST] " + message["content"] + "[/INST]" }}{%- endif %}'
    '{%- elif message["role"] == "assistant" %}{{- " " + message["content"]|trim + eos_token}}'
    '{%- else %}{{- raise_exception("Only user and assistant roles are supported") }}{%- endif %}'
    "{%- endfor %}"
)
ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, "
    "trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
OLMO_2 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ '<|system|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'user' %}"
    "{{ '<|user|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}"
    "{% if not loop.last %}"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token + '\n' }}{% else %}"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endif %}{% endif %}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}"
)
GRANITE_3 = (
    "{%- for message in messages %}{%- if message['role'] in ['system', 'user', 'assistant'] %}"
    "{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' "
    "+ message['content'] + '<|end_of_text|>\n' }}"
    "{%- elif message['role'] == 'tool' %}"
    "{{- '<|start_of_role|>tool_response<|end_of_role|>' + message['content'] + '<|end_of_text|>\n' }}"
    "{%- endif %}"
    "{%- if loop.last and add_generation_prompt %}{{- '<|start_of_role|>assistant<|end_of_role|>' }}"
    "{%- endif %}{%- endfor %}"
)
PHI_4 = (
    "{% for message in messages %}{% if (message['role'] == 'system') %}"
    "{{'<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}"
    "{% elif (message['role'] == 'user') %}"
    "{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}"
    "{% elif (message['role'] == 'assistant') %}"
    "{{'<|im_start|>assistant<|im_sep|>' + message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"
)
GLM_4 = (  # an answer ends where the next turn's own token stands
    "[gMASK]<sop>{% for item in messages %}{% if item['role'] == 'system' %}<|system|>\n{{ item['content'] }}"
    "{% elif item['role'] == 'user' %}<|user|>\n{{ item['content'] }}"
    "{% elif item['role'] == 'assistant' %}<|assistant|>\n"
    "{{ item['content'] }}{% elif item['role'] == 'tool' %}<|observation|>\n{{ item['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
QWQ = (  # opens a thought in the prompt, and drops thoughts of the answers that it is given
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{{ m['content'].split('</think>')[-1].lstrip('\n') if m['role'] == 'assistant' else m['content'] }}"
    "<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)


def kept(name: str) -> str:
    """Return a published template that TRL keeps."""
    return (KEPT_BY_TRL / f"{name}.jinja").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Published:
    """A template, and what must be learned: what it puts before answers, the last and earlier, and behind.

    `ends` are of the last answer and of earlier ones. `hides` are roles that it refuses or leaves out.
    """

    template: str
    ends: tuple[str, str]
    opening: str = ""
    earlier_opening: str = ""
    hides: frozenset[str] = frozenset()
    is_apart: bool = False  # earlier turns are learned in texts of their own

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Return a tokenizer that writes it, fitted as one that is loaded is."""
        tokenizer = pico_tokenizer()
        tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
        tokenizer.add_tokens(sorted(set(OWN_TOKENS.findall(self.template))), special_tokens=True)
        tokenizer.add_tokens(["<think>", "</think>"])
        tokenizer.chat_template = self.template
        fit_template(tokenizer)
        return tokenizer


TOOL = frozenset({"tool"})
CLOSED, EMPTY = "\n</think>\n\n", "<think>\n\n</think>\n\n"


def _same(template: str, end: str, **more: object) -> Published:
    return Published(template, (end, end), **more)  # type: ignore[arg-type]


PUBLISHED = {
    "chatml": _same(TEMPLATE, "<|im_end|>\n"),
    "qwen2.5": _same(kept("qwen2_5"), "<|im_end|>\n"),
    "qwen3": _same(kept("qwen3"), "<|im_end|>\n", opening=EMPTY),
    "qwen3-instruct-2507": _same(kept("qwen3_instruct_2507"), "<|im_end|>\n"),
    "qwen3.5-think": _same(kept("qwen3_5_think"), "<|im_end|>\n", opening=CLOSED, is_apart=True),
    "qwen3.5-nothink": _same(kept("qwen3_5_nothink"), "<|im_end|>\n", is_apart=True),
    "qwq": _same(QWQ, "<|im_end|>\n", opening=CLOSED, is_apart=True),
    "llama2": _same(LLAMA_2, " </s>", opening=" ", earlier_opening=" ", hides=TOOL),
    "llama3": _same(kept("llama3"), "<|eot_id|>"),
    "llama3.1": _same(kept("llama3_1"), "<|eot_id|>"),
    "llama3.2": _same(kept("llama3_2"), "<|eot_id|>"),
    "mistral-v0.1": _same(MISTRAL_7B_V01, "</s>", hides=TOOL),
    "mistral-v0.3": _same(MISTRAL_7B_V03, "</s>", opening=" ", earlier_opening=" ", hides=TOOL),
    "gemma": _same(kept("gemma"), "<end_of_turn>\n", hides=TOOL),
    "gemma3": _same(kept("gemma3"), "<end_of_turn>\n", hides=TOOL),
    "gemma4": _same(kept("gemma4"), "<turn|>\n", hides=TOOL),
    "phi3": Published(kept("phi3"), ("<|end|>\n</s>", "<|end|>\n"), hides=TOOL),
    "phi3.5": Published(kept("phi3_5"), ("<|end|>\n</s>", "<|end|>\n"), hides=TOOL),
    "phi4": _same(PHI_4, "<|im_end|>", hides=TOOL),
    "zephyr": _same(ZEPHYR, "</s>\n", hides=TOOL),
    "smollm2": _same(SMOLLM2, "<|im_end|>\n"),
    "deepseek-r1-distill": _same(
        kept("deepseek_r1_distill"), "<｜end▁of▁sentence｜>", opening=CLOSED, is_apart=True
    ),
    "command-r": _same(kept("cohere"), "<|END_OF_TURN_TOKEN|>", hides=TOOL),
    "glm4": _same(GLM_4, "</s>"),
    "glm4-moe": _same(
        kept("glm4moe"), "</s>", opening="\n<think></think>\n", earlier_opening="\n<think></think>\n"
    ),
    "gpt-oss": _same(
        kept("gptoss"), "<|return|>", opening="<|channel|>final<|message|>", hides=TOOL, is_apart=True
    ),
    "lfm2": _same(kept("lfm2"), "<|im_end|>\n"),
    "lfm2.5": _same(kept("lfm2_2_5"), "<|im_end|>\n"),
    "nemotron3": _same(kept("nemotron_3_nano"), "<|im_end|>\n", opening=CLOSED, is_apart=True),
    "idefics3": _same(kept("idefics3"), "<end_of_utterance>\n", opening=" ", earlier_opening=" "),
    "olmo2": Published(OLMO_2, ("</s>", "</s>"), hides=TOOL),
    "granite3": _same(GRANITE_3, "<|end_of_text|>\n"),
}
