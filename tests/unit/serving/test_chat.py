"""`manus chat` with a small omni checkpoint and a small text model, in this process."""

from __future__ import annotations

import io
import json
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from manus.cli import main as cli
from manus.errors import InputError
from manus.models.generation.questions import Unanswered
from tests.unit.models.omni import small

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    text = small.text_model("llama", root / "text")
    vision, audio = (
        small.vision_encoder("siglip_vision_model", root / "vision"),
        small.whisper(root / "audio"),
    )
    return {
        "text": text,
        "omni": small.omni(text, root / "omni", vision, audio),
        "seeing": small.omni(text, root / "seeing", vision, None),
    }


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    import av

    root = tmp_path_factory.mktemp("media")
    small.picture().save(root / "picture.png")
    with wave.open(str(root / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((small.sound(0, 0.7) * 32_767).astype(np.int16).tobytes())
    with av.open(str(root / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(0, 240, 40):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (root / "broken.png").write_bytes(b"no picture")
    return {
        "image": root / "picture.png",
        "audio": root / "sound.wav",
        "video": root / "film.mp4",
        "broken": root / "broken.png",
    }


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: object, stdin: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["manus", "chat", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin or ""))
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ran


def test_one_question_about_all_media(models: dict[str, Path], media: dict[str, Path], run: Run) -> None:
    flags = [text for kind in ("image", "audio", "video") for text in (f"--{kind}", media[kind])]
    code, out, err = run(models["omni"], *flags, "--once", "what do you see", "--max-new-tokens", 6, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert 1 <= answer["tokens"] <= 6
    code, out, _ = run(models["omni"], *flags, "--max-new-tokens", 6, stdin="what do you see")
    assert out == answer["answer"] + "\n"
    code, out, _ = run(
        models["omni"], *flags[2:], "--max-new-tokens", 6, "--once", "what do you see", "--json"
    )
    assert json.loads(out)["prompt_tokens"] == answer["prompt_tokens"] - 4


def test_a_text_model_answers_as_generate_does(models: dict[str, Path], run: Run) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from manus.models.loading.precision import held_dtype, precision_of

    dtype = held_dtype(precision_of("auto"))
    model = AutoModelForCausalLM.from_pretrained(models["text"], dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(models["text"])
    asked = [{"role": "system", "content": "see"}, {"role": "user", "content": "what"}]
    ids = tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    made = model.generate(**ids, max_new_tokens=7, do_sample=False)[0, ids["input_ids"].shape[1] :]
    code, out, err = run(models["text"], "--once", "what", "--system", "see", "--max-new-tokens", 7)
    assert (code, err) == (0, "")
    assert out == tokenizer.decode(made, skip_special_tokens=True) + "\n"


@pytest.mark.parametrize(
    ("model", "flag", "file", "says"),
    [
        ("text", "image", "image", "has no vision; it has text"),
        ("text", "audio", "audio", "has no audio_in; it has text"),
        ("seeing", "audio", "audio", "has no audio_in; it has text, vision, video"),
        ("seeing", "image", "broken", "not a picture in a known format"),
        ("seeing", "video", "image", "the video cannot be decoded"),
        ("omni", "audio", "image", "the audio cannot be decoded"),
        ("omni", "audio", "video", "a file without sound"),
    ],
)
def test_media_that_cannot_be_taken_are_refused(
    models: dict[str, Path], media: dict[str, Path], run: Run, model: str, flag: str, file: str, says: str
) -> None:
    code, out, err = run(models[model], f"--{flag}", media[file], "--once", "what", "--max-new-tokens", 2)
    assert code == 2
    assert err.startswith(f"--{flag} {media[file]}: ")
    assert says in err
    assert out == ""


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["--once", " "], "", "there is no question"),
        ([], "", "there is no question"),
        (["--once", "<|image|>"], "", "give the medium as a part of its own"),
        (["--once", "what " * 600], "", "the model reads 512"),
        (["--image", "nowhere.png", "--once", "a"], "", "--image nowhere.png: no such file"),
    ],
)
def test_bad_questions_are_refused(
    models: dict[str, Path], run: Run, arguments: list[str], stdin: str, says: str
) -> None:
    code, _, err = run(models["omni"], *arguments, stdin=stdin)
    assert code == 2
    assert says in err


def test_json_needs_a_question(models: dict[str, Path], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manus.serving.chat.is_typed", lambda: True)
    code, _, err = run(models["omni"], "--json")
    assert code == 2
    assert "--json needs a question" in err


def conversation(folder: Path, **settings: Any) -> Any:
    from manus.serving.conversation import Conversation

    return Conversation(folder, max_new_tokens=5, **settings)


def talked(held: Any, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    from manus.serving.chat import talk

    typed = iter(lines)

    def typing(*_: Any, **__: Any) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    console = Console(file=io.StringIO(), width=120)
    monkeypatch.setattr(console, "input", typing)
    talk(held, console)
    return console.file.getvalue()


def test_a_conversation_with_commands(
    models: dict[str, Path], media: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = conversation(models["omni"])
    lines = [
        f"/image {media['image']}",
        "what",
        "and you",
        "/imgae x.png",
        "/audio",
        f"/image {media['broken']}",
        "",
    ]
    shown = talked(held, lines, monkeypatch)
    assert "picture.png goes with the next message" in shown
    assert "did you mean '/image'?" in shown
    assert "/audio needs a file" in shown
    assert "not a picture in a known format" in shown
    assert [message["role"] for message in held.messages] == ["user", "assistant"] * 2
    assert [part["type"] for part in held.messages[0]["content"]] == ["image", "text"]
    assert [part["type"] for part in held.messages[2]["content"]] == ["text"]
    assert shown.count("tokens, first after") == 2
    assert "forgotten" in talked(held, ["/reset", "/quit", "never read"], monkeypatch)
    assert held.messages == []


def test_an_answer_can_be_stopped(models: dict[str, Path]) -> None:
    held = conversation(models["text"])
    held.max_new_tokens = 400
    pieces = held.reply("what")
    next(pieces)
    pieces.close()
    assert held.last.was_stopped
    assert 0 < held.last.tokens < 400
    assert held.messages[-1]["content"] == held.last.text


def test_a_failing_model_is_not_taken_for_silence(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = conversation(models["text"])

    def failing(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(held.model.model, "forward", failing)
    with pytest.raises(Unanswered, match="RuntimeError: out of memory"):
        list(held.reply("what"))
    assert held.messages == []


def test_the_model_sees_earlier_pictures_again(models: dict[str, Path], media: dict[str, Path]) -> None:
    def second_answer(shade: int) -> torch.Tensor:
        held = conversation(models["omni"])
        held.waiting = [{"type": "image", "image": Image.new("RGB", (40, 24), (shade, 0, 0))}]
        list(held.reply("what"))
        asked = held.hosted.asked(
            [*held.messages[:1], {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}],
            None,
        )
        return held.model(input_ids=torch.tensor([asked.ids]), **asked.media).logits

    assert not torch.equal(second_answer(0), second_answer(255))


def test_senses_are_named(models: dict[str, Path], media: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="has no hearing; it takes image, video"):
        conversation(models["seeing"]).attach("audio", media["audio"])
