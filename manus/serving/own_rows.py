"""Measures any model on rows of no recipe, and what is left when a sense is cut off. Stores nothing."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from manus.capabilities import Capability
from manus.data.forms.columns import counted_words
from manus.data.forms.unread_media import minding_media
from manus.data.media.files import has_media
from manus.data.preparation.media_intake import Intake
from manus.data.preparation.quarantine import Quarantine
from manus.data.preparation.reading import Reader
from manus.data.sample import Sample, of_any_row
from manus.data.settings import Source
from manus.data.sources.rows import located_rows
from manus.errors import DataError
from manus.evaluation.ablations import ablated
from manus.evaluation.numbers import percent
from manus.evaluation.probes import Probe, asked, is_measurable, measure
from manus.models.loading.composition import load_model
from manus.models.loading.precision import device, held_dtype, precision_of
from manus.models.senses.inputs import layout_of, media_inputs
from manus.models.tokenizer import load_tokenizer
from manus.scorers.metrics import is_share

LONGEST_TEXT = 4096  # tokens; only texts without an answer are cut there


def measured_on(
    folder: Path, name: str, capability: Capability, data: Path, most_rows: int, limits: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask a model the questions of a file, as a capability's probe asks held-out ones.

    Args:
        folder: of a plain model.
        name: the capability's.
        capability: reads the rows and verifies answers.
        data: a file of rows, or a folder of such files.
        most_rows: how many of them, from the beginning.
        limits: settings of the probe.

    Returns:
        A probe's measurement, with `asked` and, where there are media, `ablations`; and `rows`, how many were
        read, with `refused`, why some could not be used, `columns_not_read` and `media_not_read`, what of
        them nothing reads.

    Raises:
        DataError: nothing in the file can be measured.
        InputError: the probe has no such setting.
    """
    with tempfile.TemporaryDirectory(prefix="manus-rows-") as place:
        samples, reader = _samples(folder, capability, data, most_rows, Path(place))
        quarantine = reader.quarantine
        refused = dict(Counter(row["reason"] for row in quarantine.rows).most_common())
        if not is_measurable(capability, samples):
            why = next(iter(refused), f"none has an answer that {name} can verify")
            raise DataError(f"{data}: nothing in {quarantine.seen} rows can be measured: {why}")
        media = media_inputs(folder, Path(place)) if has_media(Path(place)) else None
        probe = Probe(data.name, capability, capability.Settings(**limits), samples, LONGEST_TEXT, media)
        tokenizer = load_tokenizer(folder)
        model = load_model(folder, held_dtype(precision_of("auto"))).to(device())
        whole = measure(probe, model, tokenizer, data.name)
        cut_off = ablated(probe, model, tokenizer, whole)
        return {
            "capability": name,
            "metric": probe.metric,
            **whole,
            "rows": quarantine.seen,
            "refused": refused,
            "columns_not_read": dict(reader.columns.get(source_of(data).name, {})),
            "media_not_read": dict(reader.unread),
            "asked": asked(probe.usable),
            **cut_off,
        }


def _samples(
    folder: Path, capability: Capability, data: Path, most_rows: int, place: Path
) -> tuple[list[Sample], Reader]:
    """Return the samples of a file, and what read them; their media are kept in `place`."""
    intake = Intake(place, layout_of(folder))
    reader = Reader(of_any_row(minding_media(capability.read, "messages")), intake, Quarantine())
    source = source_of(data)
    try:
        samples = reader.samples(located_rows(source, data.parent, 0, 0, False), most_rows, source.name)
        intake.finish(samples)
    finally:
        intake.close()
    return samples, reader


def source_of(data: Path) -> Source:
    """Return a file or folder as a source of rows."""
    return Source(path=str(data.absolute()))


def unread_in(found: Mapping[str, Any], data: Path) -> Iterator[str]:
    """Yield in words what of the rows of a measurement nothing reads."""
    for kind, count in found["media_not_read"].items():
        yield (
            f"{count} rows have {kind} columns, which this capability does not read: it takes their "
            "text alone"
        )
    if found["columns_not_read"]:
        yield f"{data.name}: columns that are not read: {counted_words(found['columns_not_read'])}"


def table_of(found: Mapping[str, Any]) -> Table:
    """Return a measurement as people read it: in all, by kind of question, and with a sense cut off."""
    cuts: Mapping[str, Any] = found.get("ablations", {})
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("questions")
    for column in ("n", found["metric"].replace("_", " "), "95 % interval", *cuts):
        table.add_column(column, justify="right")
    for row in _rows(found, cuts):
        table.add_row(*row)
    return table


def _rows(found: Mapping[str, Any], cuts: Mapping[str, Any]) -> Iterator[list[str]]:
    counts_right = is_share(found["metric"])

    def shown(value: float) -> str:
        return percent(value, is_column=True) if counts_right else f"{value:.2f}"

    interval = f"{shown(found['low'])} … {shown(found['high'])}"
    yield [
        "all",
        str(found["samples"]),
        shown(found["value"]),
        interval,
        *(shown(cut["value"]) for cut in cuts.values()),
    ]
    for level, one in found["levels"].items():
        left = [shown(c["levels"][level]["value"]) if level in c["levels"] else "" for c in cuts.values()]
        yield [level, str(one["samples"]), shown(one["value"]), "", *left]
