"""A conversation that is put together of what a template writes is what the template writes."""

from __future__ import annotations

import pytest

from manus.errors import ModelError
from manus.models.listening.turns import Turns
from tests.unit.models.omni.small import tokenizer

OTHERWISE = (
    "{% for m in messages %}[{{ m['role'] }}{% if loop.last %} at last{% endif %}]"
    "{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"
    "[{{ m['role'] }}]{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.mark.parametrize("instructions", ["", "be kind"])
@pytest.mark.parametrize("template", [None, NO_SYSTEM])
def test_the_parts_make_the_whole(instructions: str, template: str | None) -> None:
    made = tokenizer()
    made.chat_template = template or made.chat_template
    turns = Turns.of(made, instructions)
    said = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    if instructions:
        if template:
            said[0]["content"] = f"{instructions}\n\na"
        else:
            said = [{"role": "system", "content": instructions}, *said]
    whole = made.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    assert f"{turns.beginning}a{turns.asking}b{turns.next}c{turns.asking}" == whole


def test_a_template_that_writes_earlier_turns_otherwise_is_refused() -> None:
    made = tokenizer()
    made.chat_template = OTHERWISE
    with pytest.raises(ModelError, match="otherwise once others follow"):
        Turns.of(made)
