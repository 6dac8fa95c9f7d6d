"""Points in time as files write them."""

from __future__ import annotations

import time


def timestamp(seconds: float) -> str:
    """Return a time in UTC as ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
