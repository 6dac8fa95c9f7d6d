"""Reads a text, a page or a PDF into paragraphs and numbered sentences. Knows nothing of scripts.

| ending | read by | left out |
|---|---|---|
| .txt, .text | paragraphs between empty lines | |
| .md, .markdown | markdown-it-py (CommonMark) | headings, code, tables, HTML |
| .html, .htm, .xhtml | Beautiful Soup | headings, navigation, scripts, forms, tables |
| .pdf | pypdf | pictures; a scan without a text layer is refused |

A heading is no sentence: the first one is the title.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manus.errors import DataError, blamed_on

LARGEST_FILE_BYTES = 50_000_000
BREAK = "\u2029"  # Unicode's mark between paragraphs
ENDINGS = ".txt, .text, .md, .markdown, .html, .htm, .xhtml, .pdf"

# A full stop behind these, or behind a single letter, ends no sentence.
_ABBREVIATIONS = (
    "mr mrs ms dr prof st jr sr vs etc approx fig vol dept inc ltd co gen capt lt rev hon e.g i.e u.s u.k a.m p.m cf al "
    "ca bzw usw evtl ggf nr str abb vgl inkl d.h z.b u.a m.e mme mlle"
)
ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
_END = re.compile(r"([.!?…]+[\"'”’»)\]]*)\s+(?=[\"'“‘«(\[¿¡]*[^\W_])|([。！？]+[」』”’）]*)\s*")
_NAVIGATION = ("script", "style", "nav", "header", "footer", "aside", "form", "noscript", "template", "table",
               "button", "figure", "svg", "pre", "select")  # fmt: skip
_BLOCKS = ("p", "li", "blockquote", "dd", "dt", "div", "section", "article", "main", "br", "hr", "ul", "ol")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclass(frozen=True, slots=True)
class Source:
    """A text to talk about.

    name: the file's name.
    sha256: of the file.
    title: its first heading, if it has one.
    language: as a page says it of itself, such as `en`; None where nothing says it.
    paragraphs: the sentences of each paragraph. Sentences are numbered from 1 through all of them.
    """

    name: str
    sha256: str
    title: str | None
    language: str | None
    paragraphs: tuple[tuple[str, ...], ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences in order; number n is at n - 1."""
        return tuple(sentence for paragraph in self.paragraphs for sentence in paragraph)


@dataclass(frozen=True, slots=True)
class _Read:
    paragraphs: list[str]
    title: str | None = None
    language: str | None = None


def read_source(path: Path) -> Source:
    """Read a source.

    Raises:
        DataError: it is missing, of an unknown kind, not readable or without text; names the file and what to
            do.
    """
    reader = READERS.get(path.suffix.lower())
    if not path.is_file():
        raise DataError(f"{path}: no such file" if not path.is_dir() else f"{path}: is a folder, not a text")
    if reader is None:
        ending = path.suffix or "no ending"
        raise DataError(f"{path}: a source with {ending} is not read; give one that ends in {ENDINGS}")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise DataError(
            f"{path}: {path.stat().st_size / 1e6:.0f} MB are too much to talk about; give a part of it"
        )
    data = path.read_bytes()
    if not data.strip():
        raise DataError(f"{path}: is empty")
    with blamed_on(f"{path}: cannot be read", DataError):
        found = reader(path, data)
    paragraphs = tuple(filter(None, (tuple(sentences_of(text)) for text in found.paragraphs)))
    if not paragraphs:
        raise DataError(f"{path}: holds no sentence to talk about, only headings, code or marks")
    return Source(path.name, hashlib.sha256(data).hexdigest(), found.title, found.language, paragraphs)


def sentences_of(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph, by their ends; what says no word is none."""
    text = " ".join(paragraph.split())
    found, start = [], 0
    for end in _END.finditer(text):
        goes_on = text[end.end() :].lstrip("\"'“‘«([")[:1].islower()
        if end[1] is not None and (goes_on or _is_abbreviated(text[start : end.start(1)], end[1])):
            continue
        found.append(text[start : end.end(1 if end[1] is not None else 2)])
        start = end.end()
    found.append(text[start:])
    return [sentence.strip() for sentence in found if re.search(r"[^\W_]", sentence)]


def _is_abbreviated(before: str, marks: str) -> bool:
    """Tell whether a full stop belongs to the word before it: `Dr.`, `J.`, and the day in `3. Mai`."""
    if marks != ".":
        return False
    word = before.rpartition(" ")[2].strip("\"'“‘«([")
    is_initial = len(word) == 1 and word.isalpha() and word != "I"
    is_day = word.isdigit() and len(word) < 3
    return is_initial or is_day or word.lower() in ABBREVIATIONS


def _decoded(path: Path, data: bytes) -> str:
    """Return a text file's text.

    Raises:
        DataError: it is neither UTF-8 nor UTF-16 with its mark.
    """
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}:{line}: is not UTF-8 text; save the file as UTF-8") from None
    if "\0" in text:
        raise DataError(
            f"{path}: holds bytes of zero, so it is no text; {ENDINGS} are read, by their endings"
        )
    return text


def _text(path: Path, data: bytes) -> _Read:
    return _Read(re.split(r"\n[ \t]*\n", _decoded(path, data).replace("\r\n", "\n").replace("\r", "\n")))


def _markdown(path: Path, data: bytes) -> _Read:
    from markdown_it import MarkdownIt

    text = re.sub(r"\A---\n.*?\n---\n", "", _decoded(path, data).replace("\r\n", "\n"), flags=re.DOTALL)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    paragraphs, title, table, before = list[str](), None, 0, ""
    for token in tokens:
        table += {"table_open": 1, "table_close": -1}.get(token.type, 0)
        if token.type == "inline" and not table:
            said = "".join(_shown(child.type, child.content) for child in token.children or ())
            if before == "heading_open":
                title = title or said.strip() or None
            else:
                paragraphs.append(said)
        before = token.type
    return _Read(paragraphs, title)


def _shown(kind: str, content: str) -> str:
    """Return what a reader sees of a part of a line of Markdown."""
    if kind in ("softbreak", "hardbreak"):
        return " "
    return content if kind in ("text", "code_inline", "text_special") else ""


def _html(path: Path, data: bytes) -> _Read:
    from bs4 import BeautifulSoup

    page = BeautifulSoup(data, "html.parser")
    if page.contains_replacement_characters:
        raise DataError(f"{path}: its bytes are not in the encoding that it declares; save it as UTF-8")
    headings = [page.find("h1"), page.find("title")]
    title = next((said for found in headings if found and (said := " ".join(found.get_text().split()))), None)
    language = page.html.get("lang") if page.html else None
    root = page.find("article") or page.find("main") or page.body or page
    for left_out in root.find_all([*_NAVIGATION, *_HEADINGS, "title"]):
        left_out.decompose()
    for block in root.find_all(list(_BLOCKS)):
        block.insert_before(BREAK)
        block.insert_after(BREAK)
    return _Read(root.get_text().split(BREAK), title, str(language) if language else None)


def _pdf(path: Path, data: bytes) -> _Read:
    import io

    from pypdf import PdfReader

    document = PdfReader(io.BytesIO(data))
    if document.is_encrypted and not document.decrypt(""):
        raise DataError(f"{path}: is locked with a password; save it without one")
    text = "\n\n".join(page.extract_text() for page in document.pages)
    if not re.search(r"[^\W_]", text):
        raise DataError(
            f"{path}: its {len(document.pages)} pages hold no text, only pictures of it, as scans do; "
            "put it through text recognition first (for example ocrmypdf)"
        )
    title = str(document.metadata.title).strip() if document.metadata and document.metadata.title else None
    joined = re.sub(r"(\w)[-\u00ad]\n(?=[a-zà-ÿ])", r"\1", text)  # words that lines break
    return _Read(re.split(r"\n[ \t]*\n", joined), title or None)


READERS: dict[str, Callable[[Path, bytes], _Read]] = {
    ".txt": _text,
    ".text": _text,
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".xhtml": _html,
    ".pdf": _pdf,
}
