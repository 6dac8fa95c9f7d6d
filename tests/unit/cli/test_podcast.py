"""`manus podcast` from its arguments to what it prints: a script by hand, spoken by tones; mistakes in one message."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from manus.cli import main as cli
from manus.serving.podcast.writing import WORDS_PER_MINUTE
from tests.unit.serving.podcast.tones import Tones, answering, article

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    speaker = Tones()
    monkeypatch.setattr("manus.cli.podcast.language_model", lambda name: (tmp_path, None))
    monkeypatch.setattr("manus.serving.podcast.speaker.speaker_of", lambda folder: speaker)
    monkeypatch.setattr("manus.serving.podcast.asking.asking", lambda folder: answering)

    def ran(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["manus", "podcast", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ran


def test_a_source_becomes_a_script_then_an_episode(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(article(40), encoding="utf-8")
    given = ("m", tmp_path / "a.txt", "-o", tmp_path / "e.mp3", "--minutes", "0.5")
    code, out, _ = run(*given, "--script-only")
    assert code == 0 and "share words with what they rest on" in out and not (tmp_path / "e.mp3").exists()
    code, out, _ = run("m", "--script", tmp_path / "e" / "script.yaml", "-o", tmp_path / "e.mp3", "--json")
    made = json.loads(out)
    assert (
        code == 0
        and made["turns_spoken_now"] == made["turns"]
        and made["words_per_minute_planned"] == WORDS_PER_MINUTE
    )
    code, out, err = run(*given)
    assert code == 0 and "0 of them spoken now" in out and "is taken as it stands" in err


def test_mistakes_are_one_message(run: Run, tmp_path: Path) -> None:
    code, out, err = run("m", tmp_path / "gone.txt", "-o", tmp_path / "e.mp3")
    assert (code, out, err) == (2, "", f"{tmp_path}/gone.txt: no such file\n")
    (tmp_path / "s.yaml").write_text("title: T\nhosts: [{name: Ada}]\nturns:\n  - {host: Ben, text: Hi}\n")
    code, out, err = run("m", "--script", tmp_path / "s.yaml", "-o", tmp_path / "e.mp3")
    assert (code, out) == (2, "") and err == (
        f"{tmp_path}/s.yaml:4: turns[0].host: no host is called 'Ben'; known: Ada\n"
    )
    assert not (tmp_path / "e").exists()
