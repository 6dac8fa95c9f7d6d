"""Texts as words, and what a language model makes of them."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from manus.models.speech.word_encoder import MOST_LETTERS
from manus.models.speech.words import WordReader, split_words, words_batch, words_one_by_one
from tests.unit.models.omni import small

TEXTS = ["The old captain sings in the garden.", "No.", "He said: stay - or go, now!", "", "A doctor waits"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The old  captain sings.", ["The", "old", "captain", "sings."]),
        ("one - two, three!", ["one -", "two,", "three!"]),
        ("— Well, yes …", ["— Well,", "yes …"]),
        ("3 + 4", ["3 +", "4"]),
        ("...", []),
        ("", []),
        ("你好 world", ["你", "好", "world"]),
        ("naïve café\nagain", ["naïve", "café", "again"]),
    ],
)
def test_words_stand_between_spaces_with_their_punctuation(text, words):
    assert split_words(text) == words


def test_letters_are_bytes_and_the_end_is_a_unit():
    batch = words_batch(["ab é", "a" * 40], None)
    assert batch["is_word"].tolist() == [[True, True, True], [True, True, False]]
    assert batch["letters"].shape == (2, 3, MOST_LETTERS)
    assert batch["letters"][0, 0, :3].tolist() == [98, 99, 0]
    assert batch["letters"][0, 1, :3].tolist() == [0xC3 + 1, 0xA9 + 1, 0]
    assert batch["letters"][0, 2, :2].tolist() == [4, 0]
    assert (batch["letters"][1, 0] == 98).all()
    with pytest.raises(ValueError, match="has 2 words and its end; the states are of 2 units"):
        words_batch(["one two"], [torch.zeros(2, 4)])


def test_units_one_by_one_are_those_of_the_batch():
    batch = words_batch(["one two"], [torch.randn(3, 4)])
    parts = list(words_one_by_one(batch))
    assert len(parts) == 3
    for name, whole in batch.items():
        assert torch.equal(torch.cat([part[name] for part in parts], 1), whole)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = small.text_model("llama", tmp_path_factory.mktemp("words") / "llama")
    return WordReader(AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))


def test_each_word_has_the_numbers_of_its_tokens_and_the_end_zeros(reader):
    found = reader.read(TEXTS)
    assert [len(each) for each in found] == [len(split_words(text)) + 1 for text in TEXTS]
    assert {each.shape[1] for each in found} == {reader.text_size} == {64}
    assert all(each.dtype == torch.float32 and not each[-1].any() for each in found)
    assert all(each[:-1].abs().sum(1).min() > 0 for each in found if len(each) > 1)
    encoded = reader.tokenizer("No.")["input_ids"]
    model = reader.decoder
    with torch.no_grad():
        hidden = model(input_ids=torch.tensor([encoded]), output_hidden_states=True).hidden_states
    wanted = torch.cat([hidden[0][0].mean(0), hidden[1][0, -1]])  # of two layers the first is the middle
    assert torch.allclose(found[1][0], wanted, atol=1e-5)


def test_companions_and_order_change_nothing_and_later_words_change_nothing_earlier(reader):
    together = reader.read(TEXTS * 9)
    for text, found in zip(TEXTS * 9, together, strict=True):
        assert torch.allclose(found, reader.read([text])[0], atol=1e-4)
    longer = reader.read([TEXTS[4] + " here"])[0]
    assert torch.allclose(longer[:3], together[4][:3], atol=1e-4)


def test_reading_leaves_the_model_as_it_was(reader):
    reader.decoder.train()
    reader.read(["one"])
    assert reader.decoder.training
    reader.decoder.eval()
