"""A talker learns to say sentences that it never heard, from letters and states, and not without them.

Speech is made by rule: each letter of a word lasts two frames, and its code depends on the letter and the voice.
"""

from __future__ import annotations

import random

import pytest
import torch

from manus.models.speech.examples import Spoken, collate
from manus.models.speech.talker import Talker, TalkerConfig
from manus.models.speech.words import words_batch
from tests.seeds import SEED

WORDS = ("ab", "cad", "be", "dab", "cede", "fa", "bead", "face")
TEXT_SIZE, FRAMES_A_LETTER = 8, 2


def spoken(text: str, voice: int) -> Spoken:
    words, codes = text.split(), []
    for word in words:
        codes += [(ord(letter) - 97 + 8 * voice) for letter in word for _ in range(FRAMES_A_LETTER)]
    codes += [7 + 8 * voice] * FRAMES_A_LETTER
    lengths = [FRAMES_A_LETTER * len(word) for word in words] + [FRAMES_A_LETTER]
    second = [(code * 5 + 3) % 16 for code in codes]
    states = torch.stack(
        [torch.full((TEXT_SIZE,), float(len(word))) for word in words] + [torch.zeros(TEXT_SIZE)]
    )
    return Spoken(text, voice, torch.tensor([codes, second]), lengths, states)


def right_share(
    talker: Talker, clips: list[Spoken], texts: list[str] | None = None, is_cut: bool = False
) -> float:
    """Return the share of frames whose first code is as it should be, when other texts, or none, are given."""
    given = (
        clips
        if texts is None
        else [spoken(text, clip.voice) for text, clip in zip(texts, clips, strict=True)]
    )
    words = words_batch([clip.text for clip in given], [clip.states for clip in given])
    if is_cut:
        words |= {name: torch.zeros_like(words[name]) for name in ("letters", "states")}
    frames = list(talker.eval().speak(words, torch.tensor([clip.voice for clip in clips]), 80))
    codes_BF = torch.stack([codes[:, 0] for codes, _ in frames], 1)
    right = total = 0
    for row, clip in enumerate(clips):
        wanted = clip.codes[0]
        got = codes_BF[row, : len(wanted)]
        right += int((got == wanted[: len(got)]).sum())
        total += len(wanted)
    return right / total


@pytest.mark.learns
def test_it_says_sentences_that_it_never_heard() -> None:
    draw = random.Random(SEED)
    orders = {" ".join(draw.sample(WORDS, 3)) for _ in range(300)}
    texts = sorted(orders)
    draw.shuffle(texts)
    held_out = [spoken(text, place % 2) for place, text in enumerate(texts[:24])]
    seen = [spoken(text, place % 2) for place, text in enumerate(texts[24:])]
    sizes = TalkerConfig(2, 16, TEXT_SIZE, hidden=48, layers=2, heads=2, voices=2, window=8, dropout=0.0)
    talker = Talker(sizes)
    talker.reset_parameters(SEED)
    before = right_share(talker, held_out)
    optimizer = torch.optim.AdamW(talker.parameters(), 3e-3)
    steps = 350
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    talker.train()
    torch.manual_seed(SEED)
    for _ in range(steps):
        loss = talker(collate(draw.sample(seen, 16))).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(talker.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    after = right_share(talker, held_out)
    swapped = right_share(talker, held_out, [clip.text for clip in held_out[1:] + held_out[:1]])
    cut = right_share(talker, held_out, is_cut=True)
    assert after > 0.9 and before < 0.3, (before, after)
    assert max(swapped, cut) < after - 0.4, (after, swapped, cut)
