"""What Terraform makes before what, from the graph that `terraform graph` prints: who needs a thing has to wait for it."""

import re
from collections.abc import Mapping, Set

type Graph = Mapping[str, Set[str]]
"""What each resource waits for at once, by their addresses without instances."""

_EDGE = re.compile(r'^\s*"([^"]+)" -> "([^"]+)";?$', re.MULTILINE)
_NODE = re.compile(r'^\s*"([^"]+)"(?: \[.*\])?;?$', re.MULTILINE)


def read_graph(dot: str) -> Graph:
    """The graph of resources that `terraform graph` without a type prints, in the language of Graphviz."""
    graph: dict[str, set[str]] = {name: set() for name in _NODE.findall(dot)}
    for name, needed in _EDGE.findall(dot):
        graph.setdefault(name, set()).add(needed)
    return graph


def waits_for(graph: Graph, name: str) -> Set[str]:
    """All that is made before a resource, and goes after it."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        new = set(graph.get(ahead.pop(), ())) - found
        found |= new
        ahead += new
    return found


def of_kind(graph: Graph, kind: str) -> set[str]:
    """The resources of a type, in whatever module."""
    every = set(graph).union(*graph.values())
    return {name for name in every if re.search(rf"(^|\.){kind}\.[^.]+$", name) and "data." not in name}
