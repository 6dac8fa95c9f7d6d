"""Media as they come: each file is taken, or refused with its name; none gets through half read."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from manus.data.media.errors import MediaError
from manus.data.media.files import MediaFiles
from manus.data.media.store import MediaWriter
from manus.data.sample import Medium, MediumKind
from tests.unit.data.media import corpus
from tests.unit.data.media.corpus import encoded, noise, tone, wav

Made = Callable[[Path], bytes]


def _palette_with_transparency() -> bytes:
    image = noise(16, 16).quantize(8)
    return encoded(image, "PNG", transparency=0)


def _animation(form: str) -> bytes:
    frames = [Image.new("RGB", (12, 10), colour) for colour in ("red", "green", "blue")]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)


def _without_duration(path: Path) -> bytes:
    """A Matroska file as a browser records it: written to where nobody can go back."""
    return corpus.video(path.with_suffix(".mkv"), live="1")


def _cut(whole: bytes, share: float) -> bytes:
    return whole[: int(len(whole) * share)]


def _noise_video(path: Path) -> bytes:
    return corpus.video(path, movflags="faststart", size=(320, 240))


# name: what makes it, what the row calls it, its facts
TAKEN: dict[str, tuple[Made, MediumKind, dict[str, Any]]] = {
    "plain.png": (lambda _: encoded(noise(30, 20), "PNG"), "image", {"width": 30, "height": 20}),
    "cmyk.jpg": (
        lambda _: encoded(noise(30, 20).convert("CMYK"), "JPEG"), "image", {"width": 30, "height": 20},
    ),
    "grey16.png": (lambda _: corpus.grey16(), "image", {"width": 8, "height": 4}),
    "one.png": (lambda _: encoded(noise(1, 1), "PNG"), "image", {"width": 1, "height": 1}),
    "wide.png": (lambda _: encoded(noise(20_000, 10), "PNG"), "image", {"width": 2048, "height": 1}),
    "tall.jpg": (lambda _: encoded(noise(10, 20_000), "JPEG"), "image", {"width": 1, "height": 2048}),
    "huge.jpg": (
        lambda _: encoded(Image.new("L", (20_000, 10_000), 90), "JPEG"), "image",
        {"width": 2048, "height": 1024},
    ),
    "turned.jpg": (lambda _: corpus.turned(6), "image", {"width": 20, "height": 40}),
    "bitmap.png": (lambda _: encoded(noise(9, 9).convert("1"), "PNG"), "image", {"width": 9, "height": 9}),
    "palette.png": (lambda _: _palette_with_transparency(), "image", {"width": 16, "height": 16}),
    "alpha.webp": (
        lambda _: encoded(noise(9, 7).convert("RGBA"), "WEBP"), "image", {"width": 9, "height": 7},
    ),
    "greyalpha.png": (
        lambda _: encoded(noise(9, 7).convert("LA"), "PNG"), "image", {"width": 9, "height": 7},
    ),
    "animated.gif": (lambda _: _animation("GIF"), "image", {"width": 12, "height": 10}),
    "animated.webp": (lambda _: _animation("WEBP"), "image", {"width": 12, "height": 10}),
    "progressive.jpg": (
        lambda _: encoded(noise(30, 20), "JPEG", progressive=True), "image", {"width": 30, "height": 20},
    ),
    "scan.tiff": (lambda _: encoded(noise(30, 20), "TIFF"), "image", {"width": 30, "height": 20}),
    "really-a-png.jpg": (lambda _: encoded(noise(30, 20), "PNG"), "image", {"width": 30, "height": 20}),
    "mono.wav": (lambda _: wav(tone(0.5)), "audio", {"seconds": 0.5}),
    "stereo44.wav": (lambda _: wav(tone(0.5, 44_100), 44_100, channels=2), "audio", {"seconds": 0.5}),
    "six-channels.wav": (lambda _: wav(tone(0.5), channels=6), "audio", {"seconds": 0.5}),
    "bits8.wav": (lambda _: wav(tone(0.5), width=1), "audio", {"seconds": 0.5}),
    "bits24.wav": (lambda _: wav(tone(0.5), width=3), "audio", {"seconds": 0.5}),
    "float.wav": (lambda _: corpus.float_wav(tone(0.5)), "audio", {"seconds": 0.5}),
    "phone8k.wav": (lambda _: wav(tone(0.5, 8_000), 8_000), "audio", {"seconds": 0.5}),
    "song.mp3": (lambda path: corpus.compressed(path, "libmp3lame", tone(0.5)), "audio", {"seconds": 0.5}),
    "memo.m4a": (lambda path: corpus.compressed(path, "aac", tone(0.5)), "audio", {"seconds": 0.5}),
    "talk.ogg": (lambda path: corpus.compressed(path, "libopus", tone(0.5)), "audio", {"seconds": 0.5}),
    "book.flac": (lambda path: corpus.compressed(path, "flac", tone(0.5)), "audio", {"seconds": 0.5}),
    "sound-of.mp4": (lambda path: corpus.video(path, sound=True), "audio", {"seconds": 3.0}),
    "film.mp4": (
        lambda path: corpus.video(path, sound=True), "video", {"width": 64, "height": 48, "seconds": 3.0},
    ),
    "silent-film.webm": (
        lambda path: corpus.video(path, codec="libvpx-vp9"), "video",
        {"width": 64, "height": 48, "seconds": 3.0},
    ),
    "uneven.mp4": (
        lambda path: corpus.video(path, 4, stamps=[0, 1, 20, 50]), "video", {"width": 64, "height": 48},
    ),
    "one-frame.mp4": (
        lambda path: corpus.video(path, 1), "video", {"width": 64, "height": 48, "seconds": 0.1},
    ),
    "turned.mp4": (corpus.turned_video, "video", {"width": 48, "height": 64, "seconds": 3.0}),
    "no-duration.mkv": (_without_duration, "video", {"width": 64, "height": 48, "seconds": 3.0}),
    "large.mp4": (
        lambda path: corpus.video(path, 2, size=(1920, 1080)), "video",
        {"width": 768, "height": 432, "seconds": 0.2},
    ),
    "animated-as-video.gif": (
        lambda _: _animation("GIF"), "video", {"width": 12, "height": 10, "seconds": 0.3},
    ),
}  # fmt: skip

REFUSED: dict[str, tuple[Made, MediumKind, str]] = {
    "nothing.png": (lambda _: b"", "image", "empty"),
    "torn.jpg": (
        lambda _: _cut(encoded(noise(64, 64), "JPEG"), 0.5),
        "image",
        "cannot be decoded.*truncated",
    ),
    "torn.png": (lambda _: _cut(encoded(noise(64, 64), "PNG"), 0.5), "image", "cannot be decoded"),
    "zeros.png": (lambda _: bytes(5000), "image", "not a picture"),
    "text.png": (lambda _: b"hello " * 100, "image", "not a picture"),
    "vector.svg": (lambda _: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image", "not a picture"),
    "postscript.png": (lambda _: encoded(noise(8, 8), "EPS"), "image", "not a picture"),
    "bomb.png": (
        lambda _: encoded(Image.new("1", (20_000, 20_000)), "PNG"),
        "image",
        "20,000 x 20,000 pixels",
    ),
    "fractions.tiff": (lambda _: encoded(Image.new("F", (4, 4), 0.5), "TIFF"), "image", "fractions"),
    "film-as-picture.jpg": (lambda path: corpus.video(path.with_suffix(".mp4")), "image", "not a picture"),
    "silence.wav": (lambda _: wav(np.zeros(8000)), "audio", "silent from beginning to end"),
    "torn.wav": (lambda _: _cut(wav(tone(1)), 0.5), "audio", "cut off: 16,022 bytes of 32,044"),
    "only-a-header.wav": (lambda _: wav(tone(0)), "audio", "without any sound"),
    "text.wav": (lambda _: b"hello " * 100, "audio", "cannot be decoded"),
    "nothing.mp3": (lambda _: b"", "audio", "empty"),
    "no-sound.mp4": (corpus.video, "audio", "without sound"),
    "no-picture.m4a": (lambda path: corpus.compressed(path, "aac", tone(0.5)), "video", "without picture"),
    "text.mp4": (lambda _: b"hello " * 100, "video", "cannot be decoded"),
    "playlist.mp4": (
        lambda _: b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n",
        "video",
        "cannot be decoded",
    ),
    "no-index.mp4": (lambda path: _cut(corpus.video(path), 0.5), "video", "cut off: .* bytes of"),
    "torn.mp4": (lambda path: _cut(_noise_video(path), 0.8), "video", "cut off: .* bytes of"),
    "no-frame.mp4": (lambda path: corpus.video(path, 0, sound=True), "video", "without"),
    "no-stamps.mp4": (lambda path: corpus.video(path.with_suffix(".h264")), "video", "without time stamps"),
    "zeros.mp4": (lambda _: bytes(5000), "video", "cannot be decoded"),
}


# Files of which decoders take what is there, whole: what makes them, what the row calls them.
WHOLE: dict[str, tuple[Made, MediumKind]] = {
    "song.mp3": (lambda path: corpus.compressed(path, "libmp3lame", tone(3)), "audio"),
    "bare.mp3": (lambda path: _without_head(corpus.compressed(path, "libmp3lame", tone(3))), "audio"),
    "talk.ogg": (lambda path: corpus.compressed(path, "libopus", tone(3)), "audio"),
    "memo.m4a": (lambda path: corpus.compressed(path, "aac", tone(3)), "audio"),
    "raw.aac": (lambda path: corpus.compressed(path, "aac", tone(3)), "audio"),
    "book.flac": (lambda path: corpus.compressed(path, "flac", tone(3)), "audio"),
    "old.au": (lambda path: corpus.compressed(path, "pcm_s16be", tone(3)), "audio"),
    "apple.aiff": (lambda path: corpus.compressed(path, "pcm_s16be", tone(3)), "audio"),
    "plain.wav": (lambda _: wav(tone(3)), "audio"),
    "talk.mka": (lambda path: corpus.compressed(path, "libopus", tone(3)), "audio"),
    "film.mkv": (lambda path: corpus.video(path, sound=True), "video"),
    "live.mkv": (_without_duration, "video"),
    "film.webm": (lambda path: corpus.video(path, codec="libvpx-vp9"), "video"),
    "film.mp4": (corpus.video, "video"),
    "fast.mp4": (_noise_video, "video"),
    "parts.mp4": (lambda path: corpus.video(path, movflags="frag_keyframe+empty_moov"), "video"),
    "film.mov": (corpus.video, "video"),
    "film.avi": (corpus.video, "video"),
}


def _without_head(made: bytes) -> bytes:
    """An MP3 without what tells its size, and with a mark of 128 bytes behind its last frame."""
    place = max(made.find(b"Xing"), made.find(b"Info"))
    assert place > 0
    return made[:place] + bytes(4) + made[place + 4 :] + b"TAG" + bytes(125)


def taken(folder: Path, name: str, made: bytes, kind: MediumKind) -> Medium:
    (folder / name).write_bytes(made)
    writer = MediaWriter(folder)
    try:
        (medium,) = writer.add({"kind": kind, "file": name}, folder)
        writer.finish()
    finally:
        writer.close()
    return medium


@pytest.mark.parametrize("name", TAKEN)
def test_is_taken_and_decoded_as_its_facts_say(name: str, tmp_path: Path) -> None:
    make, kind, facts = TAKEN[name]
    medium = taken(tmp_path, name, make(tmp_path / name), kind)
    told = {key: medium[key] for key in facts}  # type: ignore[literal-required]
    assert told == pytest.approx(facts, abs=0.08)
    files = MediaFiles(tmp_path)
    assert files.facts(0) == {
        key: medium[key] for key in ("kind", "width", "height", "seconds") if key in medium
    }  # type: ignore[literal-required]
    if kind == "image":
        image = files.image(0)
        assert image.mode == "RGB" and image.size == (medium["width"], medium["height"])
    elif kind == "audio":
        waves = files.audio(0)
        assert waves.dtype == np.float32 and len(waves) == round(medium["seconds"] * 16_000)
        # It is still the tone of 440 Hz and half the full amplitude.
        spectrum = np.abs(np.fft.rfft(waves))
        assert np.fft.rfftfreq(len(waves), 1 / 16_000)[spectrum.argmax()] == pytest.approx(440, abs=3)
        assert np.abs(waves).max() == pytest.approx(0.5, abs=0.1)
    else:
        frames = files.frames(0, [0.0, medium["seconds"] / 2, medium["seconds"]])
        assert frames.dtype == np.uint8 and frames.shape == (3, medium["height"], medium["width"], 3)


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_by_name(name: str, tmp_path: Path) -> None:
    make, kind, reason = REFUSED[name]
    made = make(tmp_path / name)
    with pytest.raises(MediaError, match=f"^{kind} {name}: .*{reason}"):
        taken(tmp_path, name, made, kind)
    assert not (tmp_path / "media.part").exists()


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(TAKEN) + len(REFUSED) >= 40


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(orientation: int, tmp_path: Path) -> None:
    taken(tmp_path, "a.jpg", corpus.turned(orientation), "image")
    image = np.asarray(MediaFiles(tmp_path).image(0)).astype(int)
    reddest = np.unravel_index((image[..., 0] - image[..., 2]).argmax(), image.shape[:2])
    # Where the stored left half ends up, by the EXIF standard.
    side = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}[
        orientation
    ]
    middle = np.array(image.shape[:2]) / 2
    found = {"left": reddest[1] < middle[1], "right": reddest[1] >= middle[1]}
    found |= {"top": reddest[0] < middle[0], "bottom": reddest[0] >= middle[0]}
    assert found[side]


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_cut_off_anywhere_is_refused_and_what_is_whole_is_not(name: str, tmp_path: Path) -> None:
    make, kind = WHOLE[name]
    made = make(tmp_path / name)
    whole = taken(tmp_path, name, made, kind)
    assert whole["seconds"] == pytest.approx(3.0, abs=0.1)
    draw = random.Random(name)
    for size in (draw.randrange(len(made) // 10, len(made) - 140) for _ in range(6)):
        with pytest.raises(MediaError, match=rf"^{kind} {name}: (cut off|the {kind} cannot be decoded)"):
            taken(tmp_path, name, made[:size], kind)


def test_what_follows_the_end_of_a_file_is_not_looked_at(tmp_path: Path) -> None:
    """Marks of players, and what careless copies append."""
    for name in ("song.mp3", "bare.mp3", "talk.ogg", "memo.m4a", "plain.wav", "film.mkv"):
        make, kind = WHOLE[name]
        made = make(tmp_path / name)
        assert taken(tmp_path, name, made + b"TAG" + bytes(125), kind)["seconds"] == pytest.approx(
            3.0, abs=0.1
        )


def test_what_cannot_be_seen_through_stands_on_white(tmp_path: Path) -> None:
    taken(tmp_path, "a.png", encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG"), "image")
    assert MediaFiles(tmp_path).image(0).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bits_become_eight_without_clipping(tmp_path: Path) -> None:
    taken(tmp_path, "a.png", corpus.grey16(16, 16), "image")
    grey = np.asarray(MediaFiles(tmp_path).image(0))[..., 0].reshape(-1)
    assert (
        grey[0] == 0
        and grey[-1] == 255
        and abs(int(grey[128]) - 128) <= 1
        and (np.diff(grey.astype(int)) >= 0).all()
    )


def test_an_animation_is_its_first_frame(tmp_path: Path) -> None:
    taken(tmp_path, "a.gif", _animation("GIF"), "image")
    assert MediaFiles(tmp_path).image(0).getpixel((5, 5)) == (255, 0, 0)


def test_frames_are_those_shown_at_their_times(tmp_path: Path) -> None:
    taken(tmp_path, "a.mp4", corpus.video(tmp_path / "made.mp4"), "video")
    files = MediaFiles(tmp_path)
    # Out of order, twice, before, between, and beyond the end.
    times = [2.05, 0.0, 0.31, 2.05, 1.0, 99.0, -1.0]
    levels = [round(float(frame.mean()) / 8) for frame in files.frames(0, times)]
    assert levels == [20, 0, 3, 20, 10, 29, 0]
    one_by_one = np.concatenate([files.frames(0, [time]) for time in times])
    assert (files.frames(0, times) == one_by_one).all()


def test_uneven_frames_are_found_by_their_stamps(tmp_path: Path) -> None:
    stamps = [0, 1, 20, 50, 51, 300]
    taken(tmp_path, "a.mp4", corpus.video(tmp_path / "made.mp4", 6, stamps=stamps), "video")
    shown = MediaFiles(tmp_path).frames(0, [0.05, 1.9, 2.0, 4.95, 5.05, 29.0, 30.0])
    assert [round(float(frame.mean()) / 8) for frame in shown] == [0, 1, 2, 2, 3, 4, 5]


def test_a_turned_video_stands_upright(tmp_path: Path) -> None:
    import av

    path = tmp_path / "made.mp4"
    corpus.turned_video(path)
    taken(tmp_path, "a.mp4", corpus.turned_video(path), "video")
    with av.open(tmp_path / "a.mp4") as container:
        raw = next(container.decode(video=0))
    assert (raw.width, raw.height) == (64, 48) and raw.rotation in (90, -90)
    assert MediaFiles(tmp_path).frames(0, [0.0]).shape[1:3] == (64, 48)


def test_the_name_is_told_only_by_whom_it_is_used(tmp_path: Path) -> None:
    """The same broken bytes under another name are refused by that name."""
    for name in ("first.png", "second.png"):
        (tmp_path / name).write_bytes(b"hello " * 100)
    writer = MediaWriter(tmp_path)
    for name in ("first.png", "second.png"):
        with pytest.raises(MediaError, match=name):
            writer.add({"kind": "image", "file": name}, tmp_path)
    writer.close()


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    writer = MediaWriter(tmp_path)
    with pytest.raises(MediaError, match=r"absent.png: no such file"):
        writer.add({"kind": "image", "file": "absent.png"}, tmp_path)
    with pytest.raises(MediaError, match=r"folder.png: not a plain file"):
        writer.add({"kind": "image", "file": "folder.png"}, tmp_path)
    for name in ("a" * 5000 + ".png", "a\0.png"):
        with pytest.raises(MediaError, match="cannot be read"):
            writer.add({"kind": "image", "file": name}, tmp_path)
    with pytest.raises(MediaError, match="/dev/zero: not a plain file"):
        writer.add({"kind": "image", "file": "/dev/zero"}, tmp_path)
    writer.close()
