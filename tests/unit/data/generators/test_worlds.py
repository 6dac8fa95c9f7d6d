"""Rows about media are the same for the same seed, never repeat, and say what is true.

They keep training apart from the held-out rows, and are what their capability accepts; what they say of a
picture, a clip or a sound is true.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import random
import re
import subprocess
import sys
import wave
from collections import Counter
from functools import cache

import av
import numpy as np
import pytest
from PIL import Image

from manus.data.generators import _emoji_package as emoji_package
from manus.data.generators import _speech as speech
from manus.data.generators import emoji, moving_scenes, scenes, spoken
from manus.data.generators._pictures import rgb
from manus.data.generators._things import Thing
from manus.data.media.files import MediaFiles
from manus.data.media.store import MediaWriter
from manus.errors import DataError
from manus.scorers.plain_words import words

CAPABILITY = {
    "scenes": "vision_qa",
    "emoji": "vision_qa",
    "moving_scenes": "video_understanding",
    "spoken": "hearing",
}
KIND = {"scenes": "image", "emoji": "image", "moving_scenes": "video", "spoken": "audio"}
COUNT = {"scenes": 420, "emoji": 240, "moving_scenes": 120, "spoken": 12}
MODULES = {"scenes": scenes, "emoji": emoji, "moving_scenes": moving_scenes, "spoken": spoken}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """Keep what is spoken where this test run can see that it is used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def made(
    name: str, held_out: bool, seed: int = 0, count: int | None = None, kinds: tuple = ()
) -> tuple[dict, ...]:
    module = MODULES[name]
    settings = module.Settings(kinds=kinds) if kinds else module.Settings()
    return tuple(module.rows(count or COUNT[name], seed, held_out, settings))


def question(row: dict) -> str:
    return row["messages"][0]["content"][1]["text"]


def medium(row: dict) -> bytes:
    part = row["messages"][0]["content"][0]
    return part[part["type"]]["bytes"]


def conversation(row: dict) -> list[tuple[str, str]]:
    """Return all questions of a row with their answers."""
    said = [message["content"] for message in row["messages"]]
    return list(zip([question(row), *said[2::2]], said[1::2], strict=True))


def asked(row: dict) -> tuple[str, bytes]:
    return question(row), medium(row)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_asked_twice_and_every_kind_comes(name, held_out):
    rows = made(name, held_out)
    assert len(rows) == COUNT[name] == len({asked(row) for row in rows})
    levels = Counter(row["level"] for row in rows)
    assert set(levels) == set(MODULES[name].Settings().kinds)
    assert max(levels.values()) - min(levels.values()) <= 1
    assert {row["messages"][0]["content"][0]["type"] for row in rows} == {KIND[name]}


@pytest.mark.parametrize("name", MODULES)
def test_no_medium_is_on_both_sides_under_any_seed(name):
    train, held_out = (
        {medium(row) for seed in (0, 1) for row in made(name, side, seed)} for side in (False, True)
    )
    assert train and held_out and not train & held_out


@pytest.mark.parametrize("name", MODULES)
def test_seeds_give_other_rows_and_counts_the_same_first_rows(name):
    assert made(name, False, 0)[:12] == made(name, False, 0, 12)
    assert made(name, False, 0)[:12] != made(name, False, 1)[:12]


DIGEST = """
import hashlib, importlib
for name, count in %r:
    module = importlib.import_module(f"manus.data.generators.{name}")
    rows = [list(module.rows(count, 7, held_out, module.Settings())) for held_out in (False, True)]
    print(name, hashlib.sha256(repr(rows).encode()).hexdigest())
"""


def test_rows_are_the_same_in_other_processes():
    counts = [(name, 3 if name == "spoken" else 24) for name in MODULES]

    def digests(hash_seed: str) -> list[str]:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", DIGEST % counts]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()

    first = digests("1")
    assert len(first) == 2 * len(MODULES)
    assert first == digests("2")


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_the_verifier_accepts_each_answer_and_refuses_another_samples(name, held_out):
    capability = importlib.import_module(f"manus.capabilities.{CAPABILITY[name]}")
    samples = [capability.read(row) for row in made(name, held_out)]
    assert all(capability.can_score(sample) for sample in samples)
    said = [sample["messages"][-1]["content"] for sample in samples]
    assert all(capability.score(sample, text).correct for sample, text in zip(samples, said, strict=True))
    others = said[1:] + said[:1]  # of another kind of question
    assert not any(
        capability.score(sample, text).correct for sample, text in zip(samples, others, strict=True)
    )


@pytest.mark.parametrize("name", MODULES)
def test_one_answer_to_a_question_is_no_good_guess(name):
    """Learning by heart which answer a wording has in training stays near chance on held-out rows."""
    best = {}
    for row in made(name, False):
        best.setdefault((row["level"], question(row)), Counter())[row["answer"]] += 1
    common = {level: Counter() for level in {row["level"] for row in made(name, False)}}
    for row in made(name, False):
        common[row["level"]][row["answer"]] += 1
    rows = made(name, True)
    guesses = [best.get((r["level"], question(r)), common[r["level"]]).most_common(1)[0][0] for r in rows]
    assert sum(guess == row["answer"] for guess, row in zip(guesses, rows, strict=True)) < 0.45 * len(rows)


@pytest.mark.parametrize("name", MODULES)
def test_media_are_taken_in_and_decoded(name, tmp_path):
    capability = importlib.import_module(f"manus.capabilities.{CAPABILITY[name]}")
    writer = MediaWriter(tmp_path)
    for row in made(name, True)[:12]:
        [read] = capability.read(row)["media"]
        [kept] = writer.add(read, tmp_path)
        assert kept["kind"] == KIND[name]
    writer.finish()
    files = MediaFiles(tmp_path)
    count = len({medium(row) for row in made(name, True)[:12]})
    assert len(files) == count > 9
    match KIND[name]:
        case "image":
            assert {files.image(number).size for number in range(count)} == {(64, 64)}
        case "video":
            assert {files.facts(number)["seconds"] for number in range(count)} == {4.0}
            assert files.frames(3, [0.0, 0.5, 1.0, 1.5]).shape == (4, 64, 64, 3)
        case "audio":
            assert all(
                1 < files.facts(number)["seconds"] == len(files.audio(number)) / 16000
                for number in range(count)
            )


# Pictures of shapes


@pytest.mark.parametrize("module", [scenes, moving_scenes])
@pytest.mark.parametrize("colours", [3, 7])
@pytest.mark.parametrize("shapes", [2, 3, 6])
def test_each_side_has_pairs_of_its_own_and_training_every_colour_and_shape(module, colours, shapes):
    palette = module.Settings(colours=scenes.Settings().colours[:colours], shapes=_all_shapes()[:shapes])
    train, held_out = palette.things(False), palette.things(True)
    assert held_out and not set(train) & set(held_out)
    assert {thing.colour for thing in train} == set(palette.colours)
    assert {thing.shape for thing in train} == set(palette.shapes)
    for side in (False, True):
        assert len(list(module.rows(30, 0, side, palette))) == 30


def _all_shapes() -> tuple[str, ...]:
    from manus.data.generators._pictures import SHAPES

    return SHAPES


@pytest.mark.parametrize("name", ["scenes", "moving_scenes"])
def test_training_never_names_a_held_out_pair(name):
    held_out = [str(thing) for thing in MODULES[name].Settings().things(True)]
    kinds = (*MODULES[name].Settings().kinds, "caption")
    said = [f"{question(row)} {row['answer']}" for row in made(name, False, kinds=kinds)]
    assert not [text for text in said for pair in held_out if pair in text]
    spoken_of = [f"{question(row)} {row['answer']}" for row in made(name, True, kinds=kinds)]
    assert sum(any(pair in text for pair in held_out) for text in spoken_of) > len(spoken_of) / 4


def shown(picture: Image.Image) -> set[str]:
    """Return the colours of the palette that a picture shows."""
    names = {rgb(colour): colour for colour in scenes.Settings().colours}
    counted = picture.getcolors(picture.width * picture.height) or []
    return {names[colour] for _, colour in counted if colour in names}


def test_pictures_show_what_rows_say():
    for row in [*made("scenes", False), *made("scenes", True)]:
        picture = Image.open(io.BytesIO(medium(row)))
        assert picture.size == (64, 64)
        colours, text = shown(picture), question(row)
        if row["level"] == "colour":
            assert row["answer"] in colours
        if row["level"] in ("shape", "place", "relation"):
            assert {colour for colour in scenes.Settings().colours if colour in text} <= colours
        if row["level"] == "yes or no" and row["answer"] == "yes":
            assert any(colour in text for colour in colours)


@pytest.mark.parametrize("held_out", [False, True])
def test_places_and_relations_are_where_the_pixels_are(held_out):
    def centre(picture: Image.Image, colour: str) -> tuple[float, float]:
        wanted = rgb(colour)
        found = [(n % 64, n // 64) for n, pixel in enumerate(picture.getdata()) if pixel == wanted]
        return sum(x for x, _ in found) / len(found), sum(y for _, y in found) / len(found)

    checked = 0
    for row in made("scenes", held_out):
        picture = Image.open(io.BytesIO(medium(row)))
        named = [word for word in words(question(row)) if word in scenes.Settings().colours]
        if row["level"] == "relation":
            (x, y), (other_x, other_y) = (centre(picture, colour) for colour in named)
            is_so = {
                "left": x < other_x - 10,
                "right": x > other_x + 10,
                "above": y < other_y - 10,
                "below": y > other_y + 10,
            }
            assert [name for name, so in is_so.items() if so] == [row["answer"]]
        elif row["level"] == "place":
            x, y = centre(picture, named[0])
            place = f"{scenes.ROWS[int(y * 3 / 64)]} {scenes.COLUMNS[int(x * 3 / 64)]}"
            assert row["answer"] == ("middle" if place == "middle middle" else place)
        else:
            continue
        checked += 1
    assert checked > 100


def test_a_reviewer_may_draw_other_scenes():
    settings = scenes.Settings(
        size_pixels=100,
        colours=["teal", "#ff00ff", "gold"],
        shapes=["cross", "diamond"],
        background="grey",
        most_objects=6,
        kinds=["count"],
    )
    rows = list(scenes.rows(60, 3, True, settings))
    assert {row["answer"] for row in rows} == set("123456")
    assert {Image.open(io.BytesIO(medium(row))).size for row in rows} == {(100, 100)}
    for wrong in ({"colours": ["red", "rad", "blue"]}, {"shapes": ["blob", "star"]}, {"background": "red"}):
        with pytest.raises(ValueError, match=r"rad|blob|differ"):
            scenes.Settings(**wrong)


# Clips


def frames(row: dict) -> list[Image.Image]:
    with av.open(io.BytesIO(medium(row))) as clip:
        return [frame.to_image() for frame in clip.decode(video=0)]


def nearest_colour(frame: Image.Image) -> tuple[str | None, tuple[float, float]]:
    """Return the colour of the one thing in a frame, and where it is; None where nothing is shown."""
    bright = [(n, pixel) for n, pixel in enumerate(frame.getdata()) if max(pixel) > 90]
    if len(bright) < 20:
        return None, (0, 0)
    mean = [sum(pixel[channel] for _, pixel in bright) / len(bright) for channel in range(3)]
    palette = {colour: rgb(colour) for colour in moving_scenes.Settings().colours}
    name = min(
        palette, key=lambda colour: sum((a - b) ** 2 for a, b in zip(palette[colour], mean, strict=True))
    )
    places = [(n % frame.width, n // frame.width) for n, _ in bright]
    return name, (sum(x for x, _ in places) / len(places), sum(y for _, y in places) / len(places))


@pytest.mark.parametrize("held_out", [False, True])
def test_clips_show_what_rows_say(held_out):
    for row in made("moving_scenes", held_out)[:36]:
        seen = [nearest_colour(frame) for frame in frames(row)]
        assert len(seen) == moving_scenes.Settings().frames == 16
        named, runs = [colour for colour, _ in seen], [None]
        for colour in named:
            runs += [colour] if colour != runs[-1] else []
        match row["level"]:
            case "order: direction":
                (x, y), (end_x, end_y) = seen[0][1], seen[-1][1]
                moved = {"left": x - end_x, "right": end_x - x, "up": y - end_y, "down": end_y - y}
                assert max(moved, key=moved.get) == row["answer"]
            case "order: first":
                assert next(filter(None, named)) == row["answer"].split()[0]
            case "order: change":
                assert row["answer"] == (named[0] if "before" in question(row) else named[-1])
                assert named.count(named[0]) == 8
            case "order: count":
                assert sum(run is not None for run in runs) == int(row["answer"])
                assert sum(colour is not None for colour in named) == 8
            case "colour":
                assert named[0] == row["answer"]


def test_only_the_order_of_frames_tells_what_order_questions_ask():
    """Two clips whose frames are the same bag have other answers."""
    settings = moving_scenes.Settings(kinds=["order: count"])
    bags = {}
    for row in moving_scenes.rows(30, 0, False, settings):
        bags.setdefault(Counter(colour for colour, _ in map(nearest_colour, frames(row))).total(), set()).add(
            row["answer"]
        )
    assert bags == {16: {"1", "2", "3"}}


@pytest.mark.parametrize("held_out", [False, True])
def test_a_thing_has_all_its_colours_for_as_long_each_and_first_and_last_are_what_rows_say(held_out):
    settings = moving_scenes.Settings(kinds=["order: colours"], questions=2)
    asked_of = Counter()
    for row in moving_scenes.rows(24, 0, held_out, settings):
        in_turn = [nearest_colour(frame)[0] for frame in frames(row)]
        assert in_turn == [colour for colour in dict.fromkeys(in_turn) for _ in range(4)]
        assert len(set(in_turn)) == 4
        turns = conversation(row)
        assert len(turns) == (1 if held_out else 2)
        for text, answer in turns:
            _, shape, when = re.fullmatch(r"Which colour does (the) (\w+) have (first|last)\?", text).groups()
            assert answer == (in_turn[0] if when == "first" else in_turn[-1])
            asked_of[when] += 1
        assert (Thing(row["answer"], shape) in settings.things(True)) == held_out
    assert min(asked_of.values()) > 6


def test_colours_in_turn_are_no_more_than_a_palette_has():
    small = moving_scenes.Settings(
        kinds=["order: colours"], colours=["red", "green", "blue"], shapes=["circle", "star"]
    )
    for held_out in (False, True):
        for row in moving_scenes.rows(4, 0, held_out, small):
            assert len({nearest_colour(frame)[0] for frame in frames(row)}) in (2, 3)


def test_clips_take_other_lengths_and_rates():
    with pytest.raises(ValueError, match=r"4 frames are too few for 3 appearances; raise seconds or fps"):
        moving_scenes.Settings(seconds=1)
    settings = moving_scenes.Settings(seconds=3, fps=10, size_pixels=97)
    row = next(moving_scenes.rows(1, 0, False, settings))
    assert len(frames(row)) == 30 and frames(row)[0].size == (96, 96)


def test_a_picture_with_several_questions_asks_for_other_things_and_only_in_training():
    for kind, told in (("colour", "shape"), ("shape", "colour")):
        settings = scenes.Settings(kinds=[kind], questions=3, most_objects=3)
        lengths = set()
        for row in scenes.rows(60, 0, False, settings):
            turns, picture = conversation(row), Image.open(io.BytesIO(medium(row)))
            lengths.add(len(turns))
            assert len({answer for _, answer in turns}) == len(turns)
            if kind == "colour":
                assert {answer for _, answer in turns} <= shown(picture)
            named = [{word for word in getattr(settings, f"{told}s") if word in text} for text, _ in turns]
            assert all(len(words) == 1 for words in named) and len(set.union(*named)) == len(turns)
        assert lengths == {1, 2, 3}
        assert {len(conversation(row)) for row in scenes.rows(20, 0, True, settings)} == {1}


# Emoji


def test_emoji_of_held_out_rows_are_never_shown_or_named_in_training(monkeypatch):
    pasted = {False: set(), True: set()}
    side = False
    paste = emoji._paste
    monkeypatch.setattr(
        emoji, "_paste", lambda picture, one, *rest: (pasted[side].add(one), paste(picture, one, *rest))
    )
    named = {False: set(), True: set()}
    for side in (False, True):
        for seed in (5, 6):
            for row in emoji.rows(150, seed, side, emoji.Settings()):
                text = question(row).removesuffix("?")
                told = (
                    text.partition(": ")[2]
                    if row["level"] == "choice"
                    else re.split(r" an? ", text, maxsplit=1)[-1]
                )
                named[side] |= set(re.split(r", | or ", told))
    assert len(pasted[False]) > 100 < 2 * len(pasted[True])
    assert not pasted[False] & pasted[True]
    held_out = {one.name for one in emoji.of_side(True)}
    assert len(named[True] & held_out) > 50 and not named[False] & held_out


def test_every_category_has_emoji_on_both_sides_and_names_are_unique():
    known = emoji_package.emoji()
    assert len(known) == len({one.name for one in known}) > 500
    for side in (False, True):
        counted = Counter(one.category for one in emoji.of_side(side))
        assert set(counted) == set(emoji_package.CATEGORIES) and min(counted.values()) >= 1
    assert 0.1 < len(emoji.of_side(True)) / len(known) < 0.3


def test_answers_of_emoji_rows_are_what_is_shown(monkeypatch):
    shown_now: list = []
    paste = emoji._paste
    monkeypatch.setattr(
        emoji, "_paste", lambda picture, one, *rest: (shown_now.append(one), paste(picture, one, *rest))
    )
    kinds = ("name", "choice", "yes or no", "category", "group", "count", "caption")
    for row in emoji.rows(120, 0, False, emoji.Settings(kinds=kinds)):
        one = shown_now[0]
        text, answer = question(row), row["answer"]
        match row["level"]:
            case "name" | "choice":
                assert answer == one.name
            case "category":
                assert answer == one.category and f"{answer}" in text
            case "group":
                assert answer == one.category and answer not in text
            case "yes or no":
                assert (answer == "yes") == text.endswith((f"a {one.name}?", f"an {one.name}?"))
            case "count":
                assert int(answer) == sum(other.name in text for other in shown_now if other == one)
            case "caption":
                assert answer.startswith(f"{one.name}, ")
        shown_now.clear()


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(emoji_package, "FOLDER", "no_such_package")
    emoji_package.emoji.cache_clear()
    with pytest.raises(
        DataError, match=r"emoji-datasource-google.*python -m manus\.data\.generators\._emoji_package"
    ):
        next(emoji.rows(1, 0, False, emoji.Settings()))
    emoji_package.emoji.cache_clear()


# Speech


def test_both_voices_speak_on_both_sides_and_are_short(monkeypatch):
    said = []
    speak = spoken.spoken
    monkeypatch.setattr(spoken, "spoken", lambda *told: (said.append(told), speak(*told))[1])
    for side in (False, True):
        said.clear()
        for row in spoken.rows(COUNT["spoken"], 0, side, spoken.Settings()):
            with wave.open(io.BytesIO(medium(row))) as file:
                assert (file.getframerate(), file.getnchannels()) == (16000, 1)
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
            assert 1 < len(samples) / 16000 < 4 and samples.std() > 0.02
            if row["level"] == "transcript":
                assert said[-1][0] == row["answer"]
            if row["level"] == "word":
                assert row["answer"] in said[-1][0]
            if row["level"] == "sum":
                first, sign, second = words(said[-1][0])[2:]
                assert int(row["answer"]) == int(first) + int(second) * (1 if sign == "plus" else -1) >= 0
        assert {voice for _, voice, _, _ in said} == {"heart", "joe"} == set(spoken.Settings().voices)


def test_sentences_and_sums_are_on_one_side_only():
    draw = random.Random(0)
    for ask in (spoken._transcript, spoken._sum):
        train, held_out = ({ask(draw, side)[0] for _ in range(2000)} for side in (False, True))
        assert len(held_out) > 20 and not train & held_out


def test_short_sentences_are_asked_for_their_parts(monkeypatch):
    said = []
    monkeypatch.setattr(spoken, "spoken", lambda sentence, *rest: said.append(sentence) or sentence.encode())
    settings = spoken.Settings(kinds=["who", "deed", "character"], questions=3)
    heard = {}
    for side in (False, True):
        said.clear()
        for place, row in enumerate(spoken.rows(60, 0, side, settings)):
            _, character, who, deed = words(said[-1])
            right = {"character": character, "who": who, "deed": deed}
            turns = conversation(row)
            assert turns[-1] == (spoken.PARTS[row["level"]], right[settings.kinds[place % 3]])
            assert sorted(answer for _, answer in turns) == sorted(
                right.values() if not side else [turns[-1][1]]
            )
        heard[side] = set(said)
    assert not heard[False] & heard[True]


def test_a_sentence_is_spoken_once(monkeypatch):
    first = speech.spoken("The cache is warm.", "heart", 1.0, 16000)
    kept = [path for path in speech.cache_folder().rglob("*") if path.is_file()]
    assert kept and all(path.suffix == ".wav" for path in kept)
    monkeypatch.setattr(speech, "_synthesise", None)  # would fail if it were called
    assert speech.spoken("The cache is warm.", "heart", 1.0, 16000) == first
    with pytest.raises(TypeError):
        speech.spoken("The cache is cold.", "heart", 1.0, 16000)


@pytest.mark.parametrize("voice", ["heart", "joe"])
def test_a_voice_says_the_same_again_and_lasts_as_long_as_its_speed_says(voice):
    def samples(speed: float) -> bytes:
        return speech._wav(*speech._synthesise("Seven birds sing.", voice, speed), 16000)

    assert hashlib.sha256(samples(1.0)).digest() == hashlib.sha256(samples(1.0)).digest()
    assert len(samples(1.5)) < 0.8 * len(samples(1.0))


def test_a_missing_voice_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(speech.PACKAGES, "joe", "no-such-voice")
    with pytest.raises(DataError, match=r"no-such-voice is not installed; run `make setup`"):
        speech.spoken("Hello.", "joe", 1.0, 16000)


def test_things_read_as_words():
    assert str(Thing("red", "circle")) == "red circle"
    assert json.dumps(
        [scenes.plural("cross"), scenes.plural("star"), scenes.with_article("orange star")]
    ) == ('["crosses", "stars", "an orange star"]')
