"""How numbers of measurements are written for people."""

from __future__ import annotations


def percent(share: float, is_column: bool = False) -> str:
    """Return a share as people read it: 0.12 is 12 %; in a column, where points stand in line, 12.0 %."""
    return f"{plain(100 * share, is_column=is_column)} %"


def plain(value: float, digits: int = 1, signed: bool = False, is_column: bool = False) -> str:
    """Return a rounded number with a real minus, never minus zero; only columns keep a needless `.0`."""
    rounded = round(value, digits)
    text = f"{abs(rounded):.{digits}f}"
    sign = "−" if rounded < 0 else "+" if signed and rounded else ""
    return sign + (text if is_column or digits > 1 else text.removesuffix(".0"))


def difference(value: float, is_share: bool, signed: bool = False) -> str:
    """Return a difference of two metric values: `46 points`, or `0.31 nats per token` for perplexities."""
    return (
        f"{plain(100 * value, 1, signed)} points" if is_share else f"{plain(value, 2, signed)} nats per token"
    )
