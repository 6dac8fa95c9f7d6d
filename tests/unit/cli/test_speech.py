"""`manus say` from its arguments to a file: every mistake is one message and leaves nothing behind."""

import json
import sys

import av
import pytest
from transformers import AutoConfig

from manus.cli.main import main
from tests.unit.models.speech.speaking import speaking


@pytest.fixture(scope="module")
def folder(pico_base, tmp_path_factory):
    width = AutoConfig.from_pretrained(pico_base).hidden_size
    return speaking(pico_base, tmp_path_factory.mktemp("say") / "model", 2 * width)


@pytest.fixture
def say(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["manus", "say", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
        out = capsys.readouterr()
        return code or 0, out.out, out.err

    return run


def test_it_writes_what_it_says(say, folder, tmp_path):
    file = tmp_path / "said.mp3"
    code, out, _ = say(folder, "One two three.", "-o", file, "--voice", "bob", "--json")
    told = json.loads(out)
    assert code == 0 and told["voice"] == "bob" and told["voices"] == ["ann", "bob"]
    with av.open(str(file)) as container:
        seconds = sum(frame.samples for frame in container.decode(audio=0)) / container.streams.audio[0].rate
    assert seconds == pytest.approx(told["seconds"], abs=0.15)
    code, out, _ = say(folder, "One two.", "-o", tmp_path / "said.wav")
    assert code == 0 and "seconds by ann" in out and "other voices: bob" in out


def test_mistakes_are_one_message(say, folder, pico_base, tmp_path):
    for arguments, words in (
        ((folder, "One.", "-o", tmp_path / "a.txt"), "the ending must be one of .wav"),
        ((folder, "One.", "-o", tmp_path / "no" / "a.wav"), "there is no folder"),
        (
            (folder, "One.", "-o", tmp_path / "a.wav", "--voice", "bub"),
            "no voice is called 'bub'; did you mean 'bob'",
        ),
        ((folder, "...", "-o", tmp_path / "a.wav"), "has no word that could be said"),
        (
            (pico_base, "One.", "-o", tmp_path / "a.wav"),
            "does not speak: no stage of its recipe trained a talker",
        ),
    ):
        code, _, err = say(*arguments)
        assert code == 2 and words in err and len(err.strip().splitlines()) == 1, err
    assert list(tmp_path.iterdir()) == []
