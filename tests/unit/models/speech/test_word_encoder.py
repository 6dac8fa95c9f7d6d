"""A word's vector: each half is looked at, padding is not."""

import pytest
import torch

from manus.models.speech.word_encoder import WordEncoder, squeezed
from manus.models.speech.words import words_batch


def encoder(text_size=6):
    torch.manual_seed(0)
    return WordEncoder(16, text_size).eval()


def test_letters_and_states_both_count_and_padding_does_not():
    model, states = encoder(), [torch.randn(3, 6), torch.randn(3, 6)]
    short = words_batch(["ab cd"], states[:1])
    long = words_batch(["ab cd", "abcdefgh xy"], states)
    one, padded = (model(each["letters"], each["states"], each["is_word"]) for each in (short, long))
    assert torch.allclose(one[0], padded[0], atol=1e-6)
    respelled = words_batch(["ba cd"], states[:1])
    meant = words_batch(["ab cd"], states[1:])
    for other in (respelled, meant):
        vectors = model(other["letters"], other["states"], other["is_word"])
        assert not torch.allclose(vectors[0, 0], one[0, 0], atol=1e-3)
    assert torch.equal(respelled["letters"][0, 1], short["letters"][0, 1])


def test_words_without_letters_or_places_without_words_are_no_numbers_gone_wrong():
    batch = words_batch(["ab cd"], [torch.randn(3, 6)])
    cut = encoder()(torch.zeros_like(batch["letters"]), torch.zeros_like(batch["states"]), batch["is_word"])
    assert torch.isfinite(cut).all()
    none = encoder()(batch["letters"], batch["states"], torch.zeros_like(batch["is_word"]))
    assert torch.equal(none, torch.zeros_like(none))


def test_states_must_be_there_if_and_only_if_they_are_read():
    batch = words_batch(["ab"], None)
    with pytest.raises(ValueError, match="the words have none"):
        encoder()(batch["letters"], None, batch["is_word"])
    with pytest.raises(ValueError, match="the words have states"):
        encoder(0)(batch["letters"], torch.zeros(1, 2, 6), batch["is_word"])
    with pytest.raises(ValueError, match="two halves"):
        encoder(5)
    assert encoder(0)(batch["letters"], None, batch["is_word"]).shape == (1, 2, 16)


def test_a_huge_number_does_not_hide_the_others():
    numbers = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    huge = numbers.clone()
    huge[:, 3] = 20_000.0
    normed = torch.nn.functional.layer_norm(squeezed(huge), (64,))
    assert normed[:, 4:].std() > 0.5 > 0.05 > torch.nn.functional.layer_norm(huge, (64,))[:, 4:].std()
    assert torch.allclose(squeezed(300 * numbers), squeezed(numbers), atol=1e-4)
    assert torch.equal(squeezed(torch.zeros(2, 4)), torch.zeros(2, 4))
