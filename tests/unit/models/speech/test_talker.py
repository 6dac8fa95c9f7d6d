"""The talker: words in order, codebooks in sight of each other, steps that equal the whole, rows that are alone."""

import dataclasses

import pytest
import torch

from manus.models.speech.examples import collate
from manus.models.speech.talker import Talker, TalkerConfig
from manus.models.speech.words import words_batch, words_one_by_one
from tests.unit.models.speech.clips import SENTENCES, SIZES, clip, talker

MOST = 400


def frames_of(model, clips, most=MOST):
    """Return the codes [K, F] that a talker says of each clip's text, all in one batch."""
    words = words_batch([each.text for each in clips], [each.states for each in clips])
    voices = torch.tensor([each.voice for each in clips])
    frames = list(model.speak(words, voices, most))
    codes, speaking = (
        torch.stack([each for each, _ in frames], 2),
        torch.stack([each for _, each in frames], 1),
    )
    assert not (speaking[:, 1:] & ~speaking[:, :-1]).any(), "who has ended does not speak again"
    return [row[:, :count] for row, count in zip(codes, speaking.sum(1).tolist(), strict=True)]


def test_the_configuration_is_kept_as_plain_settings():
    assert TalkerConfig.of(SIZES.to_dict()) == SIZES
    with pytest.raises(ValueError, match="no setting wdith"):
        TalkerConfig.of({**SIZES.to_dict(), "wdith": 3})
    with pytest.raises(ValueError, match="lacks codebooks"):
        TalkerConfig.of({"text_size": 4, "codebook_size": 4})
    with pytest.raises(ValueError, match="4 heads of even width"):
        Talker(dataclasses.replace(SIZES, hidden=36))


def test_the_seed_decides_all_weights_and_nothing_else_does():
    torch.manual_seed(1)
    one = talker(seed=3).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again, other = talker(seed=3).state_dict(), talker(seed=4).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], again[name]) for name in one)
    alike = [name for name in one if torch.equal(one[name], other[name])]
    assert all(name.endswith("bias") or "norm" in name or one[name].unique().numel() == 1 for name in alike)


def test_losses_are_of_the_frames_that_are_there():
    model, clips = talker(), [clip(SENTENCES[0], 0, 20), clip(SENTENCES[1], 1, 31)]
    together = model(collate(clips))
    alone = [model(collate([each])) for each in clips]
    frames = torch.tensor([20.0, 31.0])
    for name in ("codes_K", "action"):
        parts = torch.stack([getattr(each, name) for each in alone])
        mean = (parts * frames.view(-1, *[1] * (parts.ndim - 1))).sum(0) / frames.sum()
        assert torch.allclose(getattr(together, name), mean, atol=1e-5)
    assert together.loss.item() == pytest.approx((together.codes_K.mean() + together.action).item(), abs=1e-6)
    together.loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_a_codebook_sees_those_above_it_and_none_below():
    """The gradient of each codebook's loss at the true codes of a frame reaches the codebooks above alone."""
    model, batch = talker(), collate([clip(SENTENCES[0])])
    hidden = model._frames(batch)
    base = []
    for table, head, codes in zip(model.said, model.codes, batch["codes"].unbind(1), strict=True):
        base.append(head(hidden))
        hidden = hidden + table(codes)
    for changed in range(SIZES.codebooks):
        codes = batch["codes"].clone()
        codes[:, changed, -1] = (codes[:, changed, -1] + 1) % SIZES.codebook_size  # the last: no history
        losses = model({**batch, "codes": codes}).codes_K, model(batch).codes_K
        differ = (losses[0] - losses[1]).abs() > 1e-7
        assert differ[changed:].all(), "it and those below it see the code"
        assert not differ[:changed].any(), "those above do not"
    assert len(base) == SIZES.codebooks


def test_a_frame_sees_only_what_came_before_it():
    model, batch = talker(), collate([clip(SENTENCES[1], frames=30)])
    changed = {**batch, "codes": batch["codes"].clone()}
    changed["codes"][:, :, 15] = (changed["codes"][:, :, 15] + 1) % SIZES.codebook_size
    one, other = model._frames(batch), model._frames(changed)
    differ_T = ((one - other).abs() > 1e-6).any(-1)[0]
    reach = SIZES.layers * (SIZES.window - 1) + 1
    assert differ_T[16]
    assert not differ_T[:16].any()
    assert not differ_T[16 + reach :].any(), "the window bounds what is looked back to"


def test_a_step_equals_the_whole():
    """What is said frame by frame from a cache is what the whole says is likeliest in the same place."""
    model, spoken = talker(seed=2), clip(SENTENCES[1], 1)
    words = words_batch([spoken.text], [spoken.states])
    voice = torch.tensor([1])
    steps, kept = [], model._layers

    def layers(*args):
        steps.append(kept(*args))
        return steps[-1]

    model._layers = layers
    codes = torch.stack([each for each, _ in model.speak(words, voice, MOST)], 2)
    places = follow(model, words, voice)
    model._layers = kept
    batch = {
        **words,
        "voice": voice,
        "codes": codes,
        "is_frame": torch.ones(1, codes.shape[2], dtype=torch.bool),
    }
    batch |= {
        "word": torch.tensor([[at for at, _ in places]]),
        "since": torch.tensor([[s for _, s in places]]),
    }
    whole = model._frames(batch)
    stepped = torch.cat(steps[: codes.shape[2]], 1)
    assert codes.shape[2] > SIZES.window + 2, "long enough to forget something"
    assert torch.allclose(whole, stepped, atol=1e-4)


def follow(model, words, voice):
    """Return the place of the word, and how long it has lasted, at each frame that is said."""
    from manus.models.speech import talker as module

    found, real = [], module.Script.word

    def word(script):
        found.append((int(script.at_B[0]), int(script.since_B[0])))
        return real(script)

    module.Script.word = word
    try:
        list(model.speak(words, voice, MOST))
    finally:
        module.Script.word = real
    return found


@pytest.mark.parametrize("seed", range(4))
def test_no_word_is_left_out_or_said_twice(seed):
    for sentence in SENTENCES:
        spoken = clip(sentence, seed=seed)
        words = words_batch([sentence], [spoken.states])
        places = [at for at, _ in follow(talker(seed), words, torch.tensor([seed % 3]))]
        assert sorted(set(places)) == list(range(int(words["is_word"].sum()))), "every word, and the end"
        assert places == sorted(places), "in order"


def test_padding_and_companions_change_nothing():
    model, clips = talker(seed=1), [clip(each, place, seed=place) for place, each in enumerate(SENTENCES)]
    alone = [frames_of(model, [each])[0] for each in clips]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0]):
        together = frames_of(model, [clips[place] for place in order])
        assert all(torch.equal(codes, alone[place]) for codes, place in zip(together, order, strict=True))
    assert len({codes.shape[1] for codes in alone}) == 3


def test_words_that_come_one_by_one_are_said_as_if_they_were_there():
    model, spoken = talker(seed=1), clip(SENTENCES[1], 2)
    words, asked = words_batch([spoken.text], [spoken.states]), []

    def coming():
        for place, word in enumerate(words_one_by_one(words)):
            asked.append(place)
            yield word

    (at_once,) = frames_of(model, [spoken])
    places = [at for at, _ in follow(model, words, torch.tensor([2]))]
    said = []
    for frame, (codes, speaking) in enumerate(model.speak_as_it_comes(coming(), torch.tensor([2]), MOST)):
        assert speaking.all()
        said.append(codes[0])
        assert asked[-1] <= places[frame] + 2, "one word beyond the current one, two as the next begins"
    assert torch.equal(torch.stack(said, 1), at_once)
    assert list(model.speak_as_it_comes(iter(()), torch.tensor([0]), MOST)) == []


def test_it_stops_where_it_is_told_to():
    model, spoken = talker(), clip(SENTENCES[1])
    words = words_batch([spoken.text], [spoken.states])
    assert len(list(model.speak(words, torch.tensor([0]), 3))) == 3


def test_voices_and_texts_matter():
    model = talker(seed=5)
    one, other = (frames_of(model, [clip(SENTENCES[0], voice)])[0] for voice in (0, 1))
    assert one.shape != other.shape or not torch.equal(one, other)
    swapped = dataclasses.replace(clip(SENTENCES[0]), states=torch.zeros(5, SIZES.text_size))
    assert not torch.equal(frames_of(model, [swapped])[0][:, :4], one[:, :4])
