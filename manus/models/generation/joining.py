"""Says which answers may share a batch that changes: where the model computes them as it does each alone.

The rule, for a question: the family keeps its tokens in layers that can be edited, none of which looks at a
medium; its positions do not stretch with the longest row of a batch before the answer's last token; and a few
tokens, read in rows of different lengths that enter one after the other, give the logits that they give
alone. All other questions are answered in batches of equal composition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

from manus.models.generation import caches
from manus.models.generation.questions import Question
from manus.models.generation.reading import Prompt, Reader
from manus.models.generation.sealed import Sealed

STRETCHING = ("dynamic", "longrope")  # positions whose scale depends on how long a text has become
PROOF_TOKENS = 5
# Of the logits' spread, in the root of the mean square. Seen on SmolLM2-135M: 2e-6 in 32 bits, 0.05 in 16;
# 0.7 of a row that is shifted by a token or sees its padding.
TOLERATED, TOLERATED_IN_16_BITS = 1e-3, 0.25
_proven: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


def may_join(model: PreTrainedModel, question: Question) -> bool:
    """Tell whether a question can be answered among others that come and go."""
    text = model.config.get_text_config(decoder=True)
    if not model._supports_default_dynamic_cache() or getattr(text, "cross_attention_layers", None):
        return False
    most = _reach(text)
    if most is not None and len(question.ids) + question.drawing.max_new_tokens > most:
        return False
    if model not in _proven:
        _proven[model] = caches.is_known(caches.empty(model)) and _is_alike(
            model, ordinary_tokens(text.vocab_size)
        )
    return _proven[model]


def _reach(text: Any) -> int | None:
    """Return how long a text may become before its positions are stretched, None where they never are."""
    said = getattr(text, "rope_parameters", None) or {}
    kinds = [said, *(value for value in said.values() if isinstance(value, dict))]
    if not any(kind.get("rope_type") in STRETCHING for kind in kinds):
        return None
    known = [kind.get("original_max_position_embeddings") for kind in kinds]
    known.append(getattr(text, "original_max_position_embeddings", None))
    found = [length for length in known if length]
    return int(min(found)) if found else int(text.max_position_embeddings)


def ordinary_tokens(vocabulary: int) -> Prompt:
    """Return a few tokens from a vocabulary's middle: those with a meaning of their own stand at its ends."""
    return tuple((vocabulary // 2 + 7 * number) % vocabulary for number in range(PROOF_TOKENS))


def _is_alike(model: PreTrainedModel, whole: Prompt) -> bool:
    """Compare rows that entered one after the other, and are of different lengths, with each alone."""
    first, second = whole[:-1], whole[2:-1]
    with _evaluating(model), torch.no_grad():
        reader = Reader(model, whole[0])
        together, _ = reader.read_with_media(first, {})
        if not caches.fits(together.cache, 1, len(first)):
            return False
        together.join(reader.read_with_media(second, {})[0])
        joined = together.forward([whole[-1]] * 2).float()
        alone = torch.cat([_logits(model, row, whole[-1]) for row in (first, second)]).float()
    tolerated = TOLERATED if model.dtype in (torch.float32, torch.float64) else TOLERATED_IN_16_BITS
    seen = torch.isfinite(alone[0])  # the logits of tokens that cannot be said are not
    differences = (joined - alone)[:, seen].square().mean(1).sqrt()
    return bool((differences <= tolerated * alone[:, seen].std(1)).all())


def _logits(model: PreTrainedModel, row: Sequence[int], token: int) -> torch.Tensor:
    alone = Sealed(model, [row], {})
    alone.begin()
    return alone.forward([token])


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Switch what is drawn at random off, and back to how each module had it."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
