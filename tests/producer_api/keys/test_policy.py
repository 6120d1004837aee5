"""The policy: every route has its line, and the lines are the blueprint's."""

from starlette.routing import Mount, Route

from producer_api.app import ROUTES
from producer_api.keys.guarded import Guarded
from producer_api.keys.policy import POLICY, About, may
from telemetry.keys import Role


def test_every_route_names_the_role_it_needs_and_no_line_is_left_over() -> None:
    """A new route without one fails when the API is loaded."""
    assert {route.path for route in ROUTES} == set(POLICY)
    assert all(isinstance(route, Route | Mount) and isinstance(route.app, Guarded) for route in ROUTES)


def test_the_roles_are_these() -> None:
    """Written down once more, so that a slip in the table shows."""
    by_role: dict[Role | None, set[str]] = {}
    for path, rule in POLICY.items():
        by_role.setdefault(rule.role, set()).add(path)
    assert by_role[None] == {
        *("/livez", "/readyz", "/health", "/ping", "/docs", "/docs/errors/{code}", "/openapi.json", "/static", "/api/session")
    }
    assert by_role[Role.INGEST] == {
        *("/api/temperature", "/api/temperature/batch", "/api/v2/write", "/write", "/query"),
        *("/api/webhooks/ttn", "/api/webhooks/chirpstack"),
    }
    assert by_role[Role.ADMIN] == {"/api/status", "/metrics", "/connect"}


def test_admin_reads_and_nobody_else_does_what_is_not_theirs() -> None:
    """An admin key sends no readings."""
    assert {(role, needed) for role in Role for needed in Role if may(role, needed)} == {
        (Role.INGEST, Role.INGEST),
        (Role.READ, Role.READ),
        (Role.ADMIN, Role.READ),
        (Role.ADMIN, Role.ADMIN),
    }


def test_what_stores_is_held_to_the_sensors_of_its_readings() -> None:
    """All of it but the statements that store nothing."""
    stores = {path for path, rule in POLICY.items() if rule.about is About.READINGS}
    assert stores == {path for path, rule in POLICY.items() if rule.role is Role.INGEST} - {"/query"}
