"""Texts as words: their letters, and what the language model makes of each. Knows nothing of sound.

Shape suffixes: B batch, N words and the end, L letters, S numbers of a word, T tokens, H width of the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from manus.models.speech.word_encoder import MOST_LETTERS

END = b"\x03"  # end of text: the last unit of every script, in which the voice fades
TEXTS_AT_ONCE = 32
# Scripts without spaces between words: each of their letters is a word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f"
_PIECE = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
Span = tuple[int, int]


def word_spans(text: str) -> list[Span]:
    """Return where each word of a text begins and ends.

    A word is what stands between spaces, with its punctuation. Punctuation that stands alone belongs to the
    word before it (to the first word where there is none before), since nothing of it is heard.
    """
    spans: list[Span] = []
    opened: int | None = None  # where punctuation began that stands before the first word
    for piece in _PIECE.finditer(text):
        begin, end = piece.span()
        if any(letter.isalnum() for letter in piece[0]):
            spans.append((begin if opened is None else opened, end))
            opened = None
        elif spans:
            spans[-1] = (spans[-1][0], end)
        elif opened is None:
            opened = begin
    return spans


def split_words(text: str) -> list[str]:
    """Return the words of a text in order; none where it has no letter and no digit. See `word_spans`."""
    return [text[begin:end] for begin, end in word_spans(text)]


class WordReader:
    """What a language model makes of the words of texts."""

    def __init__(self, language_model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Args: a model with a causal decoder, and its fast tokenizer.

        Raises:
            ValueError: the tokenizer does not say where in the text its tokens stand.
        """
        if not tokenizer.is_fast:
            raise ValueError(f"{type(tokenizer).__name__} gives no character offsets; a fast one is needed")
        self.tokenizer = tokenizer
        self.decoder: Any = language_model.base_model
        self.embeddings = language_model.get_input_embeddings()
        text = language_model.config.get_text_config()
        self.layer = int(text.num_hidden_layers) // 2
        self.text_size = 2 * int(self.embeddings.weight.shape[1])

    def read(self, texts: Sequence[str]) -> list[Tensor]:
        """Return, for each text, the numbers of its words and zeros for its end: [N + 1, S], 32 bits.

        A word's numbers are the mean of its tokens' embeddings and, behind it, the state of its last token
        after the middle layer. The text is read alone, without a chat around it.
        """
        encoded = self.tokenizer(list(texts), return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        order = sorted(range(len(texts)), key=lambda place: len(ids[place]))
        found: dict[int, Tensor] = {}
        was_training = self.decoder.training
        self.decoder.eval()
        try:
            for start in range(0, len(order), TEXTS_AT_ONCE):
                places = order[start : start + TEXTS_AT_ONCE]
                embedded, states = self._read([ids[place] for place in places])
                for row, place in enumerate(places):
                    spans = word_spans(texts[place])
                    found[place] = _of_words(spans, offsets[place], embedded[row], states[row])
        finally:
            self.decoder.train(was_training)
        return [found[place] for place in range(len(texts))]

    @torch.no_grad()
    def _read(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return the embeddings and the middle states of tokens, padded behind: [B, T, H] each."""
        longest = max(1, *map(len, ids))
        device = self.embeddings.weight.device
        ids_BT = torch.zeros(len(ids), longest, dtype=torch.long, device=device)
        is_token_BT = torch.zeros_like(ids_BT)
        is_token_BT[:, 0] = 1  # an empty text attends to something, too
        for row, tokens in enumerate(ids):
            ids_BT[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
            is_token_BT[row, : len(tokens)] = 1
        said = self.decoder(
            input_ids=ids_BT, attention_mask=is_token_BT, output_hidden_states=True, use_cache=False
        )
        middle: Tensor = said.hidden_states[self.layer]
        return self.embeddings(ids_BT).float().cpu(), middle.float().cpu()


def _of_words(
    spans: Sequence[Span], offsets: Sequence[Span], embedded_TH: Tensor, states_TH: Tensor
) -> Tensor:
    """Return the numbers of a text's words and of its end, from those of its tokens."""
    numbers = []
    for begin, end in spans:
        own = [
            at for at, (first, last) in enumerate(offsets) if first < end and last > begin and first < last
        ]
        if not own:
            raise ValueError(f"the tokenizer says of no token that it stands at characters {begin} to {end}")
        numbers.append(torch.cat([embedded_TH[own].mean(0), states_TH[own[-1]]]))
    numbers.append(embedded_TH.new_zeros(2 * embedded_TH.shape[1]))
    return torch.stack(numbers)


def words_batch(texts: Sequence[str], states: Sequence[Tensor] | None) -> dict[str, Tensor]:
    """Return what a talker reads of texts: letters [B, N, L], states [B, N, S], is_word [B, N].

    The last unit of each text is its end. Letters are bytes of UTF-8 plus one, the first 24 of a word.

    Args:
        texts: to be said.
        states: of `WordReader.read`; None for a talker that reads letters only.

    Raises:
        ValueError: a text has other words than its states.
    """
    spelled = [[*(word.encode() for word in split_words(text)), END] for text in texts]
    most = max(map(len, spelled))
    longest = min(MOST_LETTERS, max(len(word) for words in spelled for word in words))
    letters_BNL = torch.zeros(len(texts), most, longest, dtype=torch.long)
    is_word_BN = torch.zeros(len(texts), most, dtype=torch.bool)
    for row, words in enumerate(spelled):
        is_word_BN[row, : len(words)] = True
        for place, word in enumerate(words):
            cut = word[:MOST_LETTERS]
            letters_BNL[row, place, : len(cut)] = torch.tensor(list(cut)) + 1
    batch = {"letters": letters_BNL, "is_word": is_word_BN}
    if states is not None:
        batch["states"] = _padded(texts, states, is_word_BN)
    return batch


def words_one_by_one(batch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield the units of a batch of one text, each as a batch of its own, for `Talker.speak_as_it_comes`."""
    for place in range(int(batch["is_word"][0].sum())):
        yield {name: values[:1, place : place + 1] for name, values in batch.items()}


def _padded(texts: Sequence[str], states: Sequence[Tensor], is_word_BN: Tensor) -> Tensor:
    states_BNS = torch.zeros(*is_word_BN.shape, states[0].shape[1])
    for row, (text, own, wanted) in enumerate(zip(texts, states, is_word_BN.sum(1).tolist(), strict=True)):
        if len(own) != wanted:
            raise ValueError(
                f"{text!r} has {wanted - 1} words and its end; the states are of {len(own)} units"
            )
        states_BNS[row, :wanted] = own
    return states_BNS
