"""What a chat template writes between the parts of a conversation, so that it can be read as it comes.

Knows nothing of models. The parts are found once, with turns that are made up, and hold for all turns.
"""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from manus.data.tokens.chat_templates import FIRST_MARK, placed, rendered
from manus.errors import ModelError

MARKS = [chr(FIRST_MARK + number) for number in range(6)]


@dataclass(frozen=True, slots=True)
class Turns:
    """Texts that a chat template writes.

    Args:
        beginning: before what the user says first, instructions included.
        asking: behind what the user says, up to where the answer begins.
        next: behind an answer, up to where the user goes on.
    """

    beginning: str
    asking: str
    next: str

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, instructions: str = "") -> Turns:
        """Ask the tokenizer's template.

        Raises:
            RowError: it refuses a conversation.
            ModelError: it writes a turn otherwise when others follow, so that a conversation cannot be read
                as it comes.
        """
        system = [{"role": "system", "content": instructions}] if instructions else []

        def written(count: int) -> list[str]:
            roles = ["user" if number % 2 == 0 else "assistant" for number in range(count)]
            turns = [{"role": role, "content": MARKS[number]} for number, role in enumerate(roles)]
            text = rendered(tokenizer, placed(tokenizer, [*system, *turns]), add_generation_prompt=True)
            parts = []
            for mark in MARKS[:count]:
                before, found, text = text.partition(mark)
                if not found:
                    raise ModelError("the chat template leaves a turn out")
                parts.append(before)
            return [*parts, text]

        beginning, asking = written(1)
        longer, longest = written(3), written(5)
        following = longer[2]
        if longer != [beginning, asking, following, asking] or longest != [*longer[:3], *longer[1:]]:
            raise ModelError(
                "the chat template writes a turn otherwise once others follow it, so this conversation "
                "cannot be read as it comes; use a template that does not, or ask when all is said"
            )
        return cls(beginning, asking, following)
