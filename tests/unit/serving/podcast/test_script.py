"""A script comes back as it was written; what a hand did wrong has a line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.errors import InputError
from manus.serving.podcast.script import (
    Chapter,
    Host,
    Origin,
    Script,
    Turn,
    digest_of,
    read_script,
    write_script,
)

SCRIPT = Script(
    title="The ferry: a story",
    language="en",
    source=Origin(file="a.txt", sha256="00"),
    minutes=3.0,
    hosts=(Host(name="Ada", voice="low"), Host(name="Ben")),
    chapters=(Chapter(title="1912", turn=1),),
    turns=(
        Turn(host="Ada", text='Welcome: "yes" # no comment'),
        Turn(host="Ben", text="The ferry was built in 1912. " * 9, rests_on=(1, 3)),
    ),
)
GOOD = """title: T
hosts:
  - name: Ada
  - name: Ben
    voice: high
turns:
  - host: Ada
    text: Hello.
    rests_on: [2]
"""


def test_a_script_comes_back(tmp_path: Path) -> None:
    write_script(tmp_path / "s.yaml", SCRIPT)
    text = (tmp_path / "s.yaml").read_text(encoding="utf-8")
    assert read_script(tmp_path / "s.yaml", ("low", "high"), 3) == SCRIPT
    assert "rests_on: [1, 3]" in text and text.count("\n    text: ") == 2 and digest_of(SCRIPT)
    assert [SCRIPT.voice_of(host, ("x", "high")) for host in ("Ada", "Ben")] == ["low", "high"]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("host: Ada", "host: Adda", 7, "turns[0].host: no host is called 'Adda'; did you mean 'Ada'?"),
        (
            "voice: high",
            "voice: hihg",
            5,
            "hosts[1].voice: the model has no voice 'hihg'; did you mean 'high'?",
        ),
        ("text: Hello.", "text: ''", 8, "turns[0].text: must not be empty"),
        ("text: Hello.", "text: '...'", 8, "turns[0].text: says no word"),
        ("text: Hello.", "text: 12", 8, "turns[0].text: must be text, not 12; put it in quotes"),
        ("text: Hello.", "txt: Hello.", 8, "turns[0].txt: unknown key; did you mean 'text'?"),
        ("[2]", "[4]", 9, "turns[0].rests_on: the source has 3 sentences, not 4"),
        ("name: Ben", "name: Ada", 4, "hosts[1].name: 'Ada' is a host already"),
        (
            "title: T",
            "title: T\nchapters: [{title: A, turn: 2}]",
            2,
            "chapters[0].turn: must be after 0 and at most 1",
        ),
        ("title: T", "title: T\ntitle: U", 2, "title: stands here a second time"),
        ("title: T", "title: 'T", 1, "the quote that opens here is never closed"),
    ],
)
def test_a_slip_of_the_hand_has_a_line(old: str, new: str, line: int, says: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_script(path, ("low", "high"), 3)
    assert f"{path}:{line}: " in str(caught.value) and says in str(caught.value)
    assert caught.value.exit_code == 2


def test_more_hosts_than_voices_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert read_script(path).hosts[1].voice == "high"
    with pytest.raises(InputError, match=r"the model has no voice 'high'"):
        read_script(path, ("low",))
    path.write_text(GOOD.replace("    voice: high\n", ""), encoding="utf-8")
    with pytest.raises(InputError, match=r"hosts\[1\]: the model has 1 voices \(low\); name one of them"):
        read_script(path, ("low",))
    with pytest.raises(InputError, match="no such file"):
        read_script(tmp_path / "gone.yaml")
    path.write_bytes(b"a\n\xff")
    with pytest.raises(InputError, match=":2: not UTF-8"):
        read_script(path)
