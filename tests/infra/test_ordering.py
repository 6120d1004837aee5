"""Whoever needs a way out of the network is made after it, and goes before it."""

from collections.abc import Mapping

import pytest

from tests.support.ordering import Graph, of_kind, read_graph, waits_for
from tests.support.terraform import Root

DOT = """digraph G {
  rankdir = "RL";
  node [shape = rect, fontname = "sans-serif"];
  subgraph "cluster_module.network" {
    label = "module.network"
    fontname = "sans-serif"
    "module.network.aws_route.internet" [label="aws_route.internet"];
    "module.network.data.aws_region.current" [label="data.aws_region.current"];
  }
  "module.edge.aws_lb.this" [label="aws_lb.this"];
  "module.edge.aws_lb.this" -> "module.network.aws_route.internet";
  "module.network.aws_route.internet" -> "module.network.aws_vpc.this";
}
"""


def test_a_graph_is_read() -> None:
    """Directly, at a remove, and by type."""
    graph = read_graph(DOT)
    assert graph["module.edge.aws_lb.this"] == {"module.network.aws_route.internet"}
    assert waits_for(graph, "module.edge.aws_lb.this") == {"module.network.aws_route.internet", "module.network.aws_vpc.this"}
    assert of_kind(graph, "aws_lb") == {"module.edge.aws_lb.this"}
    assert of_kind(graph, "aws_region") == set()


@pytest.fixture(scope="module")
def graph(roots: Mapping[str, Root]) -> Graph:
    """That of an environment."""
    return read_graph(roots["environment"].run("graph"))


@pytest.mark.parametrize(
    ("who", "needed"),
    [
        ("aws_lb", ["aws_internet_gateway", "aws_route", "aws_route_table_association"]),
        ("aws_ecs_service", ["aws_route", "aws_route_table_association", "aws_nat_gateway", "aws_vpc_endpoint"]),
        ("aws_ecs_service", ["aws_vpc_security_group_egress_rule", "aws_iam_role_policy", "aws_cloudwatch_log_group"]),
        ("aws_ecs_service", ["aws_lb_listener", "aws_kinesis_stream", "aws_dynamodb_table"]),
        ("aws_nat_gateway", ["aws_internet_gateway"]),
    ],
)
def test_who_needs_a_thing_waits_for_it(graph: Graph, who: str, needed: list[str]) -> None:
    """Every one of them: the graph does not tell instances apart, nor what an environment leaves out."""
    assert of_kind(graph, who)
    for name in of_kind(graph, who):
        before = waits_for(graph, name)
        # The API alone has a load balancer in front, and an archiver asks no table.
        idle = {"aws_lb_listener": "module.api" not in name, "aws_dynamodb_table": "module.archiver" in name}
        wanted = [kind for kind in needed if not idle.get(kind)]
        assert not [kind for kind in wanted if not of_kind(graph, kind) & before], name
