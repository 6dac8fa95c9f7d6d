"""Makes the library `datasets` refuse JSON in which an object has a key twice. Knows nothing of data sets.

Arrow refuses most of such rows. But lists of rows, and rows whose columns are of several types, go through a
reader that keeps the last of two values without a word. Both readers stand as names in one module there.
"""

from __future__ import annotations

import io
from typing import IO, Any

from manus.data.strict_json import loads


def refuse_repeated_keys() -> None:
    """Put strict readers in the place of the library's, for this process; a second call changes nothing."""
    from datasets.packaged_modules.json import json as reader

    if getattr(reader.ujson_loads, "__module__", None) == __name__:
        return
    read_table = reader.pandas_read_json

    def strict_table(stream: IO[str], **options: Any) -> Any:
        text = stream.read()
        loads(text)
        return read_table(io.StringIO(text), **options)

    reader.ujson_loads = strict_loads
    reader.pandas_read_json = strict_table


def strict_loads(text: str | bytes, **_: Any) -> Any:
    """Return the value that a text of JSON holds.

    Raises:
        RepeatedKey: an object in it has a key twice.
        ValueError: it is no JSON.
    """
    return loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
