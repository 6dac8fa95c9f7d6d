"""Sources of each kind give the same sentences, numbered; what cannot be read is said with what to do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from manus.errors import DataError
from manus.serving.podcast.sources import READERS, read_source, sentences_of

SENTENCES = ("The ferry was built in 1912.", "It carried cows & carts.", "Dr. Berg owned it.")
TEXT = "The ferry was built in 1912. It carried\ncows & carts.\n\nDr. Berg owned it.\n"
MARKDOWN = (
    "---\na: b\n---\n# The *ferry*\n\nThe **ferry** was [built](x) in 1912. It carried\ncows &amp; carts.\n\n"
    "```\ncode. More code.\n```\n\n| a | b |\n|---|---|\n| c | d |\n\n- Dr. Berg owned it.\n"
)
HTML = (
    '<!doctype html><html lang="en"><head><title>Other</title><style>p {}</style></head><body><nav>Home. Away.</nav>'
    "<article><h1>The\n ferry</h1><p>The <b>ferry</b> was built in 1912. It\ncarried cows &amp; carts.</p>"
    "<script>x = 1.</script><ul><li>Dr. Berg owned it.</li></ul></article><footer>Bye now.</footer></body></html>"
)


def pdf(lines: list[str]) -> bytes:
    """Return a PDF of one page with lines of text, and a gap of a paragraph before the last."""
    shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
    stream = f"BT /F1 12 Tf 50 700 Td {shown}ET".encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + (
        b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (table, len(data))
    )


@pytest.mark.parametrize(
    ("name", "data", "title", "language"),
    [
        ("a.txt", TEXT.encode(), None, None),
        ("a.md", MARKDOWN.encode(), "The ferry", None),
        ("a.html", HTML.encode(), "The ferry", "en"),
        (
            "a.pdf",
            pdf(["The fer-", "ry was built in 1912. It carried", "cows & carts.", "Dr. Berg owned it."]),
            None,
            None,
        ),
        ("b.txt", TEXT.encode("utf-16"), None, None),
    ],
)
def test_each_kind_gives_its_sentences(
    name: str, data: bytes, title: str | None, language: str | None, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    source = read_source(tmp_path / name)
    assert source.sentences == SENTENCES
    assert (source.name, source.title, source.language) == (name, title, language)
    assert source.sha256 == hashlib.sha256(data).hexdigest()
    assert len(source.paragraphs) == (1 if name == "a.pdf" else 2)


def test_every_reader_is_tried() -> None:
    assert {".txt", ".md", ".html", ".pdf"} <= set(READERS)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.txt", b" \n", "is empty"),
        ("a.txt", b"ok\n\xff\xfa", ":2: is not UTF-8 text"),
        ("a.txt", b"a\0b", "holds bytes of zero"),
        ("a.md", b"# Only a heading\n", "holds no sentence"),
        ("a.docx", b"PK", "a source with .docx is not read; give one that ends in .txt"),
        ("a.pdf", pdf([""]), "hold no text, only pictures of it, as scans do"),
        ("a.pdf", b"%PDF-1.4\nbroken", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(name: str, data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_source(tmp_path / name)
    assert says in str(caught.value) and str(tmp_path / name) in str(caught.value)
    with pytest.raises(DataError, match="no such file"):
        read_source(tmp_path / f"no-{name}" if name != "a.docx" else tmp_path / "gone.txt")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        (
            "He said “Stop.” Then J. R. left at 3.5 km, e.g. fast.",
            ["He said “Stop.”", "Then J. R. left at 3.5 km, e.g. fast."],
        ),
        ("Am 3. Mai kam er. Er blieb.", ["Am 3. Mai kam er.", "Er blieb."]),
        ("他来了。她走了。", ["他来了。", "她走了。"]),
        ("No end", ["No end"]),
        ("*** !!!", []),
    ],
)
def test_sentences_end_where_they_end(text: str, sentences: list[str]) -> None:
    assert sentences_of(text) == sentences
