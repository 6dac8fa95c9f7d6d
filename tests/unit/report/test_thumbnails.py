"""A report shows what was seen and heard beside what was said, and what is left without the sense."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from manus.report.cut_off import cut_off
from manus.report.page import render
from manus.report.thumbnails import WAVE_PIXELS, strip, waveform
from tests.unit.report.report_fixture import COT, SEEING, _ablations, build
from tests.unit.report.test_page import HOSTILE, Page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return Page(render(*build(tmp_path_factory.mktemp("senses"), [COT, SEEING])))


def pictures(page):
    return [attributes for tag, attributes in page.tags if tag == "img"]


def test_every_kind_of_medium_is_shown_small_and_inside_the_file(page):
    found = pictures(page)
    assert len(found) > 20
    sizes = {}
    for attributes in found:
        head, _, data = attributes["src"].partition(",")
        assert head == "data:image/jpeg;base64" and len(data) < 20_000
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (picture.width, picture.height) == (int(attributes["width"]), int(attributes["height"]))
        sizes[attributes["alt"]] = picture.size
    strips = (6 * 64 + 5 * 2, 64)
    assert sizes == {
        "image, 64 × 64 pixels": (64, 64),
        "video, 4.0 seconds: 6 frames from left to right": strips,
        "audio, 1.0 seconds": WAVE_PIXELS,
    }
    [policy] = [attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


def test_the_places_of_media_are_not_shown_as_text(page):
    assert "<|image|>" not in page.text and "A baker has" in page.text and "· colour" in page.text


def test_a_report_without_media_has_no_pictures_and_no_table(tmp_path):
    page = Page(render(*build(tmp_path, [COT])))
    assert not pictures(page) and "Without the sense" not in page.text


def test_the_table_tells_what_falls_and_what_need_not():
    table = cut_off(_ablations(""))
    assert [(cut.name, cut.verdict, cut.drop) for cut in table.cuts] == [
        ("question alone", "falls", "−67.5 points"),
        ("frames shuffled", "falls", "−45 points"),
        ("clip swapped", "not shown", "−5 points"),
    ]
    assert table.cuts[0].interval == "57.5 … 77.5 points"
    (every, order, colour) = table.rows
    assert every[:3] == ("all", 60, "92.5 %") and order[:3] == ("order: first", 30, "90 %")
    assert [cell.text for cell in colour[3]] == ["30 %", "95 %", "85 %"]
    assert [cell.must_fall for cell in order[3]] == [True, True, True]
    assert [cell.must_fall for cell in colour[3]] == [True, False, True]
    assert cut_off({}) is None


def test_a_level_that_one_cut_lacks_is_left_empty():
    found = _ablations("")
    del found["clip swapped"]["levels"]["colour"]
    found["clip swapped"]["drop"]["samples"] = 0
    table = cut_off(found)
    assert table.rows[2][3][2].text == "–" and table.cuts[2].verdict == "not shown"


def test_the_page_has_the_table(page):
    assert (
        "Without the sense" in page.text
        and "question alone" in page.text
        and "falls −67.5 points" in page.text
    )


def test_what_data_say_is_escaped(tmp_path):
    html = render(*build(tmp_path, [SEEING], hostile=HOSTILE))
    assert "<script>alert" not in html and "onerror=alert(2)>" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert all(attributes["src"].startswith("data:image/jpeg;base64,") for attributes in pictures(Page(html)))


def test_a_waveform_is_high_where_it_is_loud():
    samples = np.zeros(32000, np.float32)
    samples[16000:] = 0.2 * np.sin(np.arange(16000) / 5)
    drawn = np.asarray(waveform(samples).convert("L"))
    inked = (drawn < 200).sum(axis=0)
    assert set(inked[:160]) == {1} and inked[165:].min() > 50
    assert (np.asarray(waveform(np.zeros(0, np.float32)).convert("L")) < 200).sum() == WAVE_PIXELS[0]


@pytest.mark.parametrize(("height", "width"), [(480, 640), (20, 20), (1000, 10)])
def test_a_strip_is_never_high(height, width):
    frames = np.zeros((3, height, width, 3), np.uint8)
    joined = strip(frames)
    assert joined.height <= 96 and joined.width <= 3 * 194
