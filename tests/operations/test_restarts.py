"""Restarts beside the pointer, in a table of LocalStack."""

from operations.restarts import Restart, Supervisor, read_restarts, write_restarts
from projections.generations import read_pointer
from tests.support.stack import Stack


def test_each_supervisor_has_one_item_beside_the_pointer(stack: Stack) -> None:
    """What it wrote before is gone, the pointer stands, and who restarted last comes first."""
    pointer = read_pointer(stack.dynamodb, stack.names)
    assert read_restarts(stack.dynamodb, stack.names) == []
    first = Supervisor("worker-1", (Restart(2_000_000, "record processor 4711 died"),))
    later = Supervisor("worker-1", (Restart(3_500_000, "the daemon ended with status 70"), *first.restarts))
    other = Supervisor("worker-2", (Restart(2_500_000, "é" * 300),))
    for one in (first, other, later):
        write_restarts(stack.dynamodb, stack.names, one)
    assert read_restarts(stack.dynamodb, stack.names) == [later, other]
    assert read_pointer(stack.dynamodb, stack.names) == pointer


def test_an_item_is_bounded(stack: Stack) -> None:
    """In restarts and in what each says."""
    write_restarts(stack.dynamodb, stack.names, Supervisor("worker-3", tuple(Restart(1, "x" * 5000) for _ in range(50))))
    (kept,) = (one for one in read_restarts(stack.dynamodb, stack.names) if one.worker_id == "worker-3")
    assert (len(kept.restarts), len(kept.restarts[0].reason)) == (10, 300)
