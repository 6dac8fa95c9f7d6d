"""Shows what is known of a stage's prepared data on a terminal. Draws an examination; knows no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from manus.data.examination import LONGEST_SHOWN, Examination, Part, Span, examine
from manus.data.forms.columns import unread_words
from manus.data.preparation.split import REPEATED
from manus.data.tokens.fitting import FATES
from manus.errors import DataError
from manus.jobs.job import Job
from manus.plan.artifacts import Plan

BAR_CELLS = 40
MOST_REASONS = 12
DEFAULT_BATCH = 1
FORMS = {
    "arrays": "texts or chats, as flat arrays",
    "shards": "texts or chats, in shards",
    "rows": "texts or chats, tokenised while training",
    "pairs": "pairs of answers",
    "prompts": "prompts",
}
MEDIA = {"image": "images", "video": "videos", "audio": "sounds"}
MEGABYTE = 1_000_000
LEARNED, NOT_LEARNED = "green", "dim"
SPECIAL = {True: "bold cyan", False: "cyan dim"}  # by whether it is learned


def examined(plan: Plan, name: str, samples: int) -> Examination:
    """Examine a stage's data, which are in the store.

    Args:
        plan: that they belong to.
        name: of the stage or reward model.
        samples: how many to render.
    """
    from manus.models.tokenizer import load_tokenizer

    artifact = plan.artifacts[f"data/{name}"]
    folder = plan.store.folder(artifact.key)
    learned = plan.learned(artifact)
    tokenizer = load_tokenizer(Job(plan, artifact, folder, folder).base)
    batch_size = getattr(learned.training, "batch_size", DEFAULT_BATCH)
    return examine(folder, tokenizer, learned.data.max_length, batch_size, samples)


def show(found: Examination, title: str, console: Console) -> None:
    """Draw an examination."""
    has_colour = console.is_terminal and not console.no_color
    console.print(Panel(_facts(found), title=title, title_align="left"))
    if found.statistics.get("length_histogram", {}).get("samples"):
        console.print(Panel(lengths(found), title="tokens per sample", title_align="left"))
    if found.quarantine:
        console.print(Panel(_quarantine(found), title="quarantine", title_align="left"))
    for number, parts in enumerate(found.samples, 1):
        shown = [line for part in parts for line in rendered(part, has_colour)]
        console.print(
            Panel(Group(*shown), title=f"sample {number} of {len(found.samples)}", title_align="left")
        )
    if found.samples and found.form != "prompts":
        console.print(_legend(has_colour))


def check(found: Examination, title: str) -> None:
    """Refuse data that leak.

    Raises:
        DataError: a held-out prompt is trained on.
    """
    if found.leaks:
        raise DataError(
            f"{title}: {found.leaks} training samples ask what held-out samples ask; please report it"
        )


def _facts(found: Examination) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in facts(found):
        table.add_row(name, value)
    return table


def facts(found: Examination) -> Iterator[tuple[str, RenderableType]]:
    """Yield what there is to say, by name."""
    told = found.statistics
    yield "form", FORMS[found.form]
    yield "from", ", ".join(told["sources"])
    if "rows_sampled" in told:
        yield "rows", f"{told['rows']:,}; what follows was found by looking at {told['rows_sampled']:,}"
    else:
        yield "rows read", f"{told['rows']:,}"
    yield "train", f"{told['train_samples']:,} samples"
    yield "held out", f"{told['held_out_samples']:,} samples"
    yield "quarantined", f"{told['quarantined']:,} rows{_share(told['quarantined'], told['rows'])}"
    if "rows_sampled" in told:
        yield "duplicates", "not looked for"
    else:
        yield "duplicates", f"{found.duplicates:,}{_share(found.duplicates, told['rows'])}"
    yield "too long", f"{percent(found.too_long_share)} left aside, {percent(found.truncated_share)} cut"
    others = {r: n for r, n in told["left_aside"].items() if r not in (*FATES.values(), REPEATED)}
    if others:
        yield "left aside", "\n".join(f"{count:,} × {reason}" for reason, count in others.items())
    if unread := told.get("media_not_read"):
        counted = ", ".join(f"{count:,} with {kind}" for kind, count in unread.items())
        yield "media not read", f"rows {counted} columns: this capability takes their text alone"
    if columns := told.get("columns_not_read"):
        yield "columns not read", "\n".join(unread_words(*one) for one in columns.items())
    for kind, media in told.get("media", {}).items():
        yield MEDIA[kind], media_words(media)
    learned = told.get("learned_share")
    yield "tokens", f"{told['tokens']:,}" + (f", {percent(learned)} of them learned" if learned else "")
    if found.padded_share is not None:
        said = (
            f"{percent(found.padded_share)} where batches of {found.batch_size} are padded, "
            "0 % where samples are joined"
        )
        packed = (
            f"; {percent(found.unfilled_share)} of packed rows stay empty"
            if found.unfilled_share is not None
            else ""
        )
        yield "padding", said + packed
    yield "leaks", _leaks(found)


def media_words(media: Mapping[str, Any]) -> str:
    """Return the numbers, sizes and lengths of media in words."""
    said = f"{media['count']:,} in {media['files']:,} files, {media['bytes'] / MEGABYTE:,.1f} MB"
    if "width" in media:
        sizes = (f"{media['width'][q]} × {media['height'][q]}" for q in ("0", "50", "100"))
        said += "; least, middle and largest sides: {}, {}, {} pixels".format(*sizes)
    if "seconds" in media:
        shortest, middle, longest = (media["seconds"][q] for q in ("0", "50", "100"))
        said += (
            f"; {shortest:g} to {longest:g} s, half up to {middle:g} s, {media['total_seconds']:,} s in all"
        )
    return said


def _leaks(found: Examination) -> Text:
    if found.leaks is None:
        return Text("not known: prepared before this was written down", style="yellow")
    if found.leaks:
        return Text(f"{found.leaks:,} training samples ask what held-out samples ask", style="bold red")
    return Text("none: no held-out prompt is trained on", style="green")


def _share(part: int, whole: int) -> str:
    return f" ({percent(part / whole)})" if part and whole else ""


def percent(share: float) -> str:
    """Return a share in words."""
    return "0 %" if not share else "under 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"


def lengths(found: Examination) -> Table:
    """Return the histogram as bars, one a line."""
    edges, samples = (found.statistics["length_histogram"][name] for name in ("edges", "samples"))
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for begin, end, count in zip(edges, edges[1:], samples, strict=False):
        label = f"{begin:,}" if end == begin + 1 else f"{begin:,} … {end - 1:,}"
        bar = "█" * max(round(BAR_CELLS * count / max(samples)), int(count > 0))
        table.add_row(label, Text(bar, style="cyan"), f"{count:,}")
    quantiles = found.statistics.get("tokens_per_sample", {})
    if quantiles:
        table.add_row(
            "", Text(f"half up to {quantiles['50']:,}, 99 % up to {quantiles['99']:,}", style="dim"), ""
        )
    return table


def _quarantine(found: Examination) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    table.add_column(style="dim")
    for reason in found.quarantine[:MOST_REASONS]:
        table.add_row(f"{reason.count:,} ×", Text(reason.reason), Text(f"first: {reason.first}"))
    if len(found.quarantine) > MOST_REASONS:
        table.add_row("", f"and {len(found.quarantine) - MOST_REASONS} more reasons", "")
    return table


def rendered(part: Part, has_colour: bool) -> Iterator[Text]:
    """Yield a part of a sample as lines of text; without colours, learned tokens stand in brackets."""
    if part.title:
        yield Text(f"{part.title} ({part.tokens:,} tokens)", style="bold")
    line, is_open = Text(), False
    for span in part.spans:
        if not has_colour and span.is_learned != is_open:
            line.append("⟦" if span.is_learned else "⟧")
            is_open = span.is_learned
        line.append(printable(span.text), style=style_of(span))
    if is_open:
        line.append("⟧")
    if part.tokens > LONGEST_SHOWN and part.title != "expected":
        line.append(f" … {part.tokens - LONGEST_SHOWN:,} more tokens", style="italic")
    yield line


def style_of(span: Span) -> str:
    """Return how a span looks."""
    if span.is_special:
        return SPECIAL[span.is_learned]
    return LEARNED if span.is_learned else NOT_LEARNED


def printable(text: str) -> str:
    """Return a text without what would move the cursor of a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def _legend(has_colour: bool) -> Text:
    if not has_colour:
        return Text("⟦learned⟧, the rest is only read")
    parts: list[Any] = [("learned", LEARNED), ", ", ("only read", NOT_LEARNED), ", "]
    return Text.assemble(
        *parts, ("special, learned", SPECIAL[True]), ", ", ("special, only read", SPECIAL[False])
    )
