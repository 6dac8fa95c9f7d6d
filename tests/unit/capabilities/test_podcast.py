"""What the podcast probe calls understood."""

from manus.capabilities import known_capabilities
from manus.recipe.known import shared_kind

podcast = known_capabilities()["podcast"]
SAMPLE = {"answer": "The old captain sings.", "speaker": "ann", "messages": []}


def test_a_sentence_is_understood_up_to_some_wrong_words():
    assert podcast.score(SAMPLE, "the old Captain sings").correct
    half = podcast.score(SAMPLE, "the bold captain swings")
    assert not half.correct and half.parts["wer"] == 0.5
    assert podcast.score(SAMPLE, "the bold captain swings", podcast.Settings(most_word_errors=0.5)).correct
    assert not podcast.score(SAMPLE, "").correct


def test_speech_is_learned_by_alignment_and_scripts_by_lora():
    assert shared_kind("podcast", "alignment") == "speech" and shared_kind("podcast", "lora") == "messages"
    assert podcast.can_score(SAMPLE) and not podcast.can_score({"messages": []})
    assert shared_kind("hearing", "alignment") == "messages"
