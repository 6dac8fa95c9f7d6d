"""The rooms of `manus/` and who imports whom, as the code has it. `python -m tests.rooms` draws it.

A room is a folder directly below `manus/`. What every room may use (errors, files, the hub) is the ground and
not drawn.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
PICTURE = re.compile(r"(?<=^```mermaid\n)flowchart TB\n.*?(?=^```$)", re.MULTILINE | re.DOTALL)


def rooms() -> list[str]:
    """Return the names of all rooms."""
    return sorted(path.parent.name for path in (ROOT / "manus").glob("*/__init__.py"))


def imports() -> dict[str, set[str]]:
    """Return, for each room, the rooms that its modules import, at their top or inside a function."""
    known = {room: set[str]() for room in rooms()}
    for room, others in known.items():
        for path in (ROOT / "manus" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("manus"):
                    named = node.module.split(".")[1:2] or [alias.name for alias in node.names]
                    others |= {name for name in named if name in known and name != room}
    return known


def modules_at_import() -> dict[str, set[str]]:
    """Return, for each module, the modules that importing it imports: functions' imports come later."""
    paths = {
        ".".join(path.with_suffix("").relative_to(ROOT).parts): path
        for path in (ROOT / "manus").rglob("*.py")
    }
    found = {name: set[str]() for name in paths}
    for name, path in paths.items():
        for node in _at_import(ast.parse(path.read_text(encoding="utf-8")).body):
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            found[name] |= ({str(node.module)} | named) & paths.keys()
    return found


def _at_import(body: list[ast.stmt]) -> Iterator[ast.ImportFrom]:
    for node in body:
        if isinstance(node, ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _at_import(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _at_import(
                [inner for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.stmt)]
            )


def drawn() -> list[tuple[str, str]]:
    """Return the arrows to draw: those that follow from no others. Rooms form no circle: one answer."""
    direct = imports()
    behind: dict[str, set[str]] = {}

    def reach(room: str, via: tuple[str, ...] = ()) -> set[str]:
        assert room not in via, f"rooms import each other in a circle: {' -> '.join((*via, room))}"
        if room not in behind:
            behind[room] = direct[room].union(*(reach(other, (*via, room)) for other in direct[room]))
        return behind[room]

    return sorted(
        (room, other)
        for room, others in direct.items()
        for other in others
        if not any(other in reach(between) for between in others - {other})
    )


def picture() -> str:
    """Return the drawing in mermaid's language, which GitHub and editors show."""
    return "flowchart TB\n" + "".join(f"    {room} --> {other}\n" for room, other in drawn())


def main() -> None:
    """Write the drawing into the page."""
    PAGE.write_text(PICTURE.sub(lambda _: picture(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
