"""Lays out a plan as a drawing: a column for each step of the flow, a row for each stage. Knows no files.

Arrows only go down within a column or across to the next one, in the last column also past a box: a reward
model stands right below the pairs that it learns from, and pairs of a stage's own answers right above the
stage, whose predecessor gave the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from manus.kinds import COLUMNS, KINDS
from manus.plan.artifacts import Artifact, Plan

NODE_WIDTH, NODE_HEIGHT = 168, 50
GAP_X, GAP_Y = 46, 28
BOW = 12  # as much as a page has room for beside five columns
MARGIN = 2
LONGEST_NAME = 16


@dataclass(frozen=True, slots=True)
class Node:
    """One job in the drawing; `x` and `y` are its upper left corner."""

    id: str
    kind: str
    name: str
    key: str
    column: int
    x: float
    y: float

    @property
    def short_name(self) -> str:
        """The name, cut to fit its box."""
        return self.name if len(self.name) <= LONGEST_NAME else f"{self.name[: LONGEST_NAME - 1]}…"

    @property
    def middle(self) -> float:
        """The height of its middle."""
        return self.y + NODE_HEIGHT / 2


@dataclass(frozen=True, slots=True)
class Graph:
    """A drawing: boxes, and the SVG paths of the arrows between them."""

    nodes: list[Node]
    arrows: list[str]
    width: float
    height: float
    node_width: float = NODE_WIDTH
    node_height: float = NODE_HEIGHT


def layout(plan: Plan) -> Graph:
    """Return the drawing of a plan. An arrow that follows from others is left out."""
    columns: list[list[tuple[str, str, str, str]]] = [[] for _ in range(COLUMNS)]
    columns[0].append(("model", "base model", plan.base.title, ""))
    for artifact in sorted(plan.artifacts.values(), key=_place_of(plan)):
        columns[_column(artifact)].append((artifact.id, artifact.kind, artifact.name, artifact.key))
    rows = max(map(len, columns))
    nodes: dict[str, Node] = {}
    for number, column in enumerate(columns):
        top = MARGIN + (rows - len(column)) * (NODE_HEIGHT + GAP_Y) / 2
        for row, (node, kind, name, key) in enumerate(column):
            x, y = MARGIN + number * (NODE_WIDTH + GAP_X), top + row * (NODE_HEIGHT + GAP_Y)
            nodes[node] = Node(node, kind, name, key, number, x, y)
    needs = {a.id: _needs(a) or {"model"} for a in plan.artifacts.values()}
    arrows = [_arrow(nodes[source], nodes[target]) for source, target in reduced(needs)]
    bows = BOW if plan.recipe.features else 0  # arrows past a box of the last column
    width = 2 * MARGIN + len(columns) * NODE_WIDTH + (len(columns) - 1) * GAP_X + bows
    return Graph(list(nodes.values()), arrows, width, 2 * MARGIN + rows * (NODE_HEIGHT + GAP_Y))


def _needs(made: Artifact) -> set[str]:
    """Return what an artifact waits for. The report's wait for reward models is left out: stages ask them."""
    needs = {*made.parents, *made.after}
    return {name for name in needs if not name.startswith("reward/")} if made.kind == "report" else needs


def _place_of(plan: Plan) -> Callable[[Artifact], int]:
    """Return what sorts artifacts as they are drawn: as they are built, a reward model next to its data."""
    order = list(plan.artifacts)
    return lambda made: order.index(f"data/{made.name}" if made.kind == "reward" else made.id)


def _column(artifact: Artifact) -> int:
    return COLUMNS - 1 if artifact.id == "evaluate/merged" else KINDS[artifact.kind].column


def reduced(needs: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Return the edges (source, target) of an acyclic graph that do not follow from other edges.

    Args:
        needs: what each node needs, in an order in which nodes come after what they need.
    """
    behind: dict[str, set[str]] = {}
    edges = []
    for target, sources in needs.items():
        direct = set(sources)
        implied = set().union(*(behind.get(source, set()) for source in direct))
        behind[target] = direct | implied
        edges += [(source, target) for source in sorted(direct - implied)]
    return edges


def _arrow(source: Node, target: Node) -> str:
    """Return an arrow's path: down within a column, past what stands between on its right, or across."""
    if source.column == target.column and target.y - source.y > NODE_HEIGHT + GAP_Y:
        side = source.x + NODE_WIDTH
        bow = side + BOW
        return (
            f"M{side:g} {source.middle:g}C{bow:g} {source.middle:g} {bow:g} {target.middle:g} "
            f"{side:g} {target.middle:g}"
        )
    if source.column == target.column:
        return f"M{source.x + NODE_WIDTH / 2:g} {source.y + NODE_HEIGHT:g}V{target.y:g}"
    start, end, half = source.x + NODE_WIDTH, target.x, GAP_X / 2
    return (
        f"M{start:g} {source.middle:g}C{start + half:g} {source.middle:g}"
        f" {end - half:g} {target.middle:g} {end:g} {target.middle:g}"
    )
