"""Strongly connected components of a graph of numbered nodes: Tarjan, SIAM J. Computing 1:146 (1972), in a loop."""

from __future__ import annotations

from collections.abc import Sequence


def components(after: Sequence[Sequence[int]]) -> list[list[int]]:
    """`after[n]`: the nodes to which an edge leads from n. Gives each component, those that are reached first last."""
    index = [0] * len(after)  # 0: not seen yet
    low = [0] * len(after)
    on_stack = bytearray(len(after))
    stack: list[int] = []
    found: list[list[int]] = []
    counter = 0
    for root in range(len(after)):
        if index[root]:
            continue
        work = [(root, 0)]
        while work:
            node, edge = work.pop()
            if edge == 0:
                counter += 1
                index[node] = low[node] = counter
                stack.append(node)
                on_stack[node] = 1
            edges, descended = after[node], False
            while edge < len(edges):
                to = edges[edge]
                edge += 1
                if not index[to]:
                    work += [(node, edge), (to, 0)]
                    descended = True
                    break
                if on_stack[to]:
                    low[node] = min(low[node], index[to])
            if descended:
                continue
            if low[node] == index[node]:
                found.append(_popped(stack, on_stack, node))
            if work:
                parent = work[-1][0]
                low[parent] = min(low[parent], low[node])
    return found


def _popped(stack: list[int], on_stack: bytearray, root: int) -> list[int]:
    component = []
    while True:
        node = stack.pop()
        on_stack[node] = 0
        component.append(node)
        if node == root:
            return component
