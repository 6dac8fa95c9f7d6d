"""What an omni model has read: added to, answered from, cut back. Knows no chat template, forgets nothing.

What is read later computes what it would have computed in one pass, to rounding: a token attends to those
before it alone, and an encoder sees one medium at a time.
"""

# Shapes: T tokens, H hidden size of the language model, V vocabulary.

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor

from manus.models.generation import caches
from manus.models.generation.inputs import on_device
from manus.models.generation.joined import Joined
from manus.models.omni.senses import MEDIA

Media = Mapping[str, Tensor]
NO_MEDIA: Media = {}


@dataclass(frozen=True, slots=True)
class Unit:
    """A run of text, or one medium (a piece of sound, a picture, a frame): tokens, a digest of their fill."""

    kind: str
    ids: tuple[int, ...]
    digest: bytes = b""


class Context:
    """A cache, and the units whose tokens it holds."""

    def __init__(self, model: Any) -> None:
        """Args: an omni model that can listen (`fitness.why_unfit`), in evaluation mode."""
        self.model = model
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.cache = caches.empty(self.model)
        self.units: list[Unit] = []
        self.logits_1V: Tensor | None = None  # of what would follow; None while nothing is read

    @property
    def tokens(self) -> int:
        """How many tokens are held."""
        return sum(len(unit.ids) for unit in self.units)

    @property
    def bytes(self) -> int:
        """How much memory their keys and values take."""
        held = [layer for layer in self.cache.layers if getattr(layer, "is_initialized", False)]
        return sum(
            tensor.numel() * tensor.element_size() for layer in held for tensor in (layer.keys, layer.values)
        )

    @torch.no_grad()
    def embedded(self, ids: Sequence[int], media: Media = NO_MEDIA) -> Tensor:
        """Return what the language model reads for tokens and the media in them: [1, T, H]."""
        ids_1T = torch.tensor([list(ids)], device=self.model.device)
        embeds_1TH: Tensor = self.model.embedded(ids_1T, **on_device(media, self.model))
        return embeds_1TH

    @torch.no_grad()
    def append(self, units: Sequence[Unit], embeds_1TH: Tensor) -> Tensor:
        """Read more, in one pass, behind what has been read; return logits [1, V] of what would follow."""
        outputs = self.model(
            inputs_embeds=embeds_1TH,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
            is_generating=True,
        )
        self.units += units
        logits_1V: Tensor = outputs.logits[:, -1]
        self.logits_1V = logits_1V
        return logits_1V

    # Prompts that begin as what has been read

    def read(self, ids: Sequence[int], media: Media) -> int:
        """Hold exactly this prompt; what is held of its beginning, with the same media, is not read again.

        Args:
            ids: of the whole prompt.
            media: all of its media in their order, as the model takes them.

        Returns:
            How many tokens were read for that. The last one always is, since its logits are wanted.

        Raises:
            ValueError: there are more or fewer placeholders than features.
        """
        wanted = list(units_of(self.model, ids, media))
        begun = self._shared(wanted)
        shared = sum(len(unit.ids) for unit in begun)
        try:
            if not caches.cut_back(self.cache, self.tokens, shared):
                self.forget()
                begun, shared = [], 0
            self.units = begun
            self.append([], self.embedded(ids[shared:], _behind(media, begun)))
        except BaseException:  # the cache is in no known state
            self.forget()
            raise
        self.units = wanted
        return len(ids) - shared

    def continued(self, ids: Sequence[int], media: Media) -> tuple[Joined, Tensor]:
        """Hold exactly this prompt, as `read` does; return its own row to answer it, and logits [1, V]."""
        self.read(ids, media)
        assert self.logits_1V is not None, "a prompt has been read"
        last_11 = torch.tensor([[self.tokens - 1]], device=self.model.device)
        return Joined(self.model, copy.deepcopy(self.cache), [0], self.tokens, last_11), self.logits_1V

    def _shared(self, wanted: Sequence[Unit]) -> list[Unit]:
        """Return the units both begin with, so that something wanted follows; text may be cut anywhere."""
        shared: list[Unit] = []
        for mine, theirs in zip(self.units, wanted, strict=False):
            if mine != theirs:
                alike = takewhile(lambda pair: pair[0] == pair[1], zip(mine.ids, theirs.ids, strict=False))
                count = sum(1 for _ in alike) if mine.kind == theirs.kind == "text" else 0
                shared += [Unit("text", theirs.ids[:count])] if count else []
                break
            shared.append(theirs)
        if shared == list(wanted):
            last = shared.pop()
            shared += [Unit("text", last.ids[:-1])] if last.kind == "text" and len(last.ids) > 1 else []
        return shared


def units_of(model: Any, ids: Sequence[int], media: Media) -> Iterator[Unit]:
    """Yield the units of a prompt.

    Raises:
        ValueError: there are more or fewer placeholders than features.
    """
    kinds = {token: kind for kind, token in model.config.placeholder_ids.items()}
    counts = {kind: list(found) for kind, found in model.token_counts(media).items()}
    taken = dict.fromkeys(counts, 0)
    start = 0
    while start < len(ids):
        kind = kinds.get(ids[start])
        if kind is None:
            end = next((n for n in range(start, len(ids)) if ids[n] in kinds), len(ids))
            yield Unit("text", tuple(ids[start:end]))
        else:
            number = taken.get(kind, 0)
            if number >= len(counts.get(kind, ())):
                raise ValueError(f"{kind}: more placeholder tokens in the text than features of its media")
            end = start + counts[kind][number]
            taken[kind] = number + 1
            if any(token != ids[start] for token in ids[start:end]) or end > len(ids):
                raise ValueError(f"{kind}: fewer placeholder tokens in the text than features of its media")
            yield Unit(kind, tuple(ids[start:end]), digest_of(kind, media, number))
        start = end
    if any(taken[kind] != len(found) for kind, found in counts.items()):
        raise ValueError("fewer placeholder tokens in the text than features of its media")


def digest_of(kind: str, media: Media, number: int) -> bytes:
    """Return a sha256 of one medium of a kind, as the model takes it."""
    digest = hashlib.sha256()
    for name in MEDIA[kind]:
        if media.get(name) is not None:
            value = media[name][number].detach().cpu().contiguous()
            digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
            digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.digest()


def _behind(media: Media, begun: Sequence[Unit]) -> dict[str, Tensor]:
    """Return the media that come behind these units."""
    rest = {}
    for kind, names in MEDIA.items():
        first = sum(unit.kind == kind for unit in begun)
        for name in names:
            if media.get(name) is not None and first < len(media[name]):
                rest[name] = media[name][first:]
    return rest
