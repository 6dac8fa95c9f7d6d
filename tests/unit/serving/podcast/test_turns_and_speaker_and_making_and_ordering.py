"""From an order to an episode with a speaker of tones: a kill, an edit, other orders, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manus.errors import InputError, Interrupted, ModelError
from manus.guards.run import RUN
from manus.serving.podcast.making import make_episode, notes_on
from manus.serving.podcast.ordering import Made, Order, carry_out, check
from manus.serving.podcast.script import Host, Script, Turn, read_script, write_script
from manus.serving.podcast.speaker import speaker_of
from manus.serving.podcast.turns import read_wav, speak_turns, write_wav
from manus.serving.podcast.writing import Wish
from tests.unit.serving.podcast.tones import Tones, answering, article

SCRIPT = Script(
    title="T",
    hosts=(Host(name="Ada"), Host(name="Ben", voice="high")),
    turns=(
        Turn(host="Ada", text="Hello to all of you."),
        Turn(host="Ben", text="The ferry was old.", rests_on=(1,)),
        Turn(host="Ada", text="Goodbye then, all of you."),
    ),
)


def test_a_kill_goes_on_with_the_next_turn_and_an_edit_speaks_one(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        speak_turns(SCRIPT, Tones(stop_before=2), tmp_path)
    rest = Tones()
    assert speak_turns(SCRIPT, rest, tmp_path).new == 1 and rest.spoken == [
        ("Goodbye then, all of you.", "low")
    ]
    edited = SCRIPT.model_copy(
        update={"turns": (SCRIPT.turns[0], Turn(host="Ben", text="It was new."), SCRIPT.turns[2])}
    )
    again = Tones()
    assert speak_turns(edited, again, tmp_path).new == 1 and again.spoken == [("It was new.", "high")]
    assert speak_turns(SCRIPT, Tones(stop_before=0), tmp_path).new == 0, "the old line is still kept"
    assert speak_turns(SCRIPT, Tones("others"), tmp_path).new == 3
    first, second = (speak_turns(SCRIPT, Tones(), folder).turns for folder in (tmp_path, tmp_path / "fresh"))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_signal_stops_between_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    speaker = Tones()
    monkeypatch.setattr(RUN.requests, "stop", signal.SIGTERM)
    with pytest.raises(Interrupted, match="SIGTERM while speaking the episode"):
        speak_turns(SCRIPT, speaker, tmp_path)
    assert not speaker.spoken


def test_a_torn_turn_is_spoken_anew(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.array([2.0, -1.0], np.float32), 24_000)
    assert read_wav(tmp_path / "a.wav", 24_000) == pytest.approx([1, -0.5], abs=1e-4)
    assert read_wav(tmp_path / "a.wav", 16_000) is None and read_wav(tmp_path / "gone.wav", 24_000) is None
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-2])
    assert read_wav(tmp_path / "a.wav", 24_000) is None


@pytest.mark.parametrize(
    ("sound", "says"), [(np.zeros(9000), "said nothing"), (np.full(9000, np.nan), "gave no sound")]
)
def test_a_speaker_that_says_nothing_is_named_with_its_turn(
    sound: np.ndarray, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = Tones()
    monkeypatch.setattr(speaker, "speak", lambda text, voice: sound)
    with pytest.raises(ModelError, match=rf"turn 1 \(Ada.*{says}"):
        speak_turns(SCRIPT, speaker, tmp_path)
    assert not list(tmp_path.glob("*.wav"))


def test_a_model_without_a_talker_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ModelError, match="does not speak: no stage of its recipe trained a talker"):
        speaker_of(tmp_path)


def ordered(order: Order, speaker: Tones, ask=answering) -> Made:
    source = check(order)
    return carry_out(order, source, order.episode.parent, lambda folder: ask, lambda folder: speaker)


def test_an_article_of_3000_words_becomes_an_episode(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(article(375), encoding="utf-8")
    order = Order("m", tmp_path / "e.mp3", Wish(1.0, words_per_minute=150.0), tmp_path / "a.txt")
    speaker = Tones()
    made = ordered(order, speaker)
    measures = made.facts["script_measures"]
    assert abs(measures["length_error"]) <= 0.15 and measures["form_faults"] == []
    assert measures["supported_share"] == 1 and made.facts["turns"] == len(speaker.spoken) >= 5
    assert made.facts["loudness_lufs"] == pytest.approx(-16, abs=0.2) and made.facts["peak_dbfs"] <= -0.99
    assert {voice for _, voice in speaker.spoken} == {"low", "high"}
    script = read_script(tmp_path / "e" / "script.yaml", speaker.voices)
    assert max(n for turn in script.turns for n in turn.rests_on) > 200, "all of the article is talked about"
    assert "<v Ben>" in (tmp_path / "e" / "transcript.vtt").read_text(encoding="utf-8")
    assert (tmp_path / "e.mp3").stat().st_size > 10_000 and not (tmp_path / "e" / "answers.jsonl").exists()
    again = ordered(order, Tones(stop_before=0), None)
    assert again.facts["turns_spoken_now"] == 0 and "is taken as it stands" in again.notes[0]
    assert again.facts["seconds"] == made.facts["seconds"]


def test_an_article_of_30_words_stays_short_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(article(4), encoding="utf-8")
    made = ordered(Order("m", tmp_path / "e.wav", Wish(3.0), tmp_path / "a.md", script_only=True), Tones())
    assert made.facts["script_measures"]["length_error"] < -0.5 and "episode" not in made.facts
    assert "a.md has 32 words, and more turns about them would repeat or invent" in made.notes[0]


def test_a_script_of_another_source_or_length_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(article(9), encoding="utf-8")
    (tmp_path / "b.txt").write_text(article(8), encoding="utf-8")
    order = Order("m", tmp_path / "e.mp3", Wish(0.5), tmp_path / "a.txt", script_only=True)
    ordered(order, Tones())
    with pytest.raises(InputError, match=r"a script about another text \(a.txt\).*--rewrite writes it anew"):
        ordered(replace(order, source=tmp_path / "b.txt"), Tones())
    with pytest.raises(InputError, match=r"0\.5 minutes, not 2"):
        ordered(replace(order, wish=Wish(2.0)), Tones())
    ordered(replace(order, source=tmp_path / "b.txt", rewrite=True), Tones())
    assert read_script(tmp_path / "e" / "script.yaml").source.file == "b.txt"


def test_a_writer_that_is_stopped_goes_on_from_its_answers(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(article(20), encoding="utf-8")
    order = Order("m", tmp_path / "e.mp3", Wish(0.5), tmp_path / "a.txt", script_only=True)
    asked: list[str] = []

    def stopped(prompt: str, most: int, attempt: int) -> str:
        if len(asked) == 3:
            raise Interrupted("SIGTERM")
        asked.append(prompt)
        return answering(prompt, most, attempt)

    with pytest.raises(Interrupted):
        ordered(order, Tones(), stopped)
    later: list[str] = []

    def rest(prompt: str, most: int, attempt: int) -> str:
        later.append(prompt)
        return answering(prompt, most, attempt)

    ordered(order, Tones(), rest)
    assert len(asked) == 3 and later and not set(asked) & set(later)


def test_a_script_by_hand_is_spoken_without_a_source(tmp_path: Path) -> None:
    write_script(tmp_path / "mine.yaml", SCRIPT)
    speaker = Tones()
    made = ordered(Order("m", tmp_path / "e.ogg", Wish(3.0), script=tmp_path / "mine.yaml"), speaker)
    assert [voice for _, voice in speaker.spoken] == ["low", "high", "low"]
    assert made.facts["length_error"] is None and made.facts["script_measures"]["supported_share"] is None


def test_what_contradicts_itself_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    good = Order("m", tmp_path / "e.mp3", Wish(3.0), tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text(article(9), encoding="utf-8")
    (tmp_path / "e").write_text("")
    for order, says in (
        (replace(good, source=None), "name a source"),
        (
            replace(good, script=tmp_path / "s.yaml", script_only=True),
            "--script-only is for one to be written",
        ),
        (replace(good, episode=tmp_path / "x.flac"), "an episode ends in .mp3"),
        (replace(good, episode=tmp_path), "ends in|is a folder"),
        (good, "which is a file"),
        (replace(good, episode=tmp_path / "x.mp3", wish=Wish(3.0, ("Ada",))), "give two different names"),
    ):
        with pytest.raises(InputError, match=says):
            check(order)
    unknown = replace(good, episode=tmp_path / "x.mp3", wish=Wish(3.0, voices=("hihg",)))
    with pytest.raises(InputError, match="no voice 'hihg'; did you mean 'high'"):
        ordered(unknown, Tones())
    with pytest.raises(InputError, match="names 3 hosts, the model has 2 voices"):
        ordered(replace(unknown, wish=Wish(3.0, ("A", "B", "C"))), Tones())


def test_by_how_much_the_real_length_is_off_is_said(tmp_path: Path) -> None:
    from manus.serving.podcast.making import Place

    script = SCRIPT.model_copy(update={"minutes": 1.0})
    made = make_episode(Place(tmp_path / "e.wav"), script, Tones(), 120.0)
    notes = notes_on(made)
    assert made["length_error"] == pytest.approx(made["seconds"] / 60 - 1, abs=1e-3)
    assert re.search(
        r"lasts 0\.\d\d minutes, \d\d% shorter than the 1 .*--words-per-minute \d+ --rewrite", notes[0]
    )
    assert "WAV file has no place for chapters" in notes[1] and made["chapters"] == 0
