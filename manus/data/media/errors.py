"""What is said when a medium cannot be used. Knows nothing of how media are decoded."""

from __future__ import annotations

from manus.data.sample import RowError


class MediaError(RowError):
    """A medium is missing, broken or of another kind than the row says; the message names it."""
