"""Habits that reviews would otherwise have to ask for again and again."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import LONG
from tests.tidy.tree import ROOT, modules, tracked_files

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 300


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, methods and inner ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def calls(tree: ast.Module, *names: str) -> Iterator[int]:
    """Line numbers of calls of these names; `asyncio.sleep(0)`, which only lets others run, is none."""
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in names)
    return (node.lineno for node in found if ast.unparse(node) != "asyncio.sleep(0)")


def test_every_module_says_what_it_is_responsible_for() -> None:
    """By a docstring."""
    silent = [str(path) for path, tree in modules().items() if not ast.get_docstring(tree)]
    assert not silent, f"add a module docstring: {silent}"


def test_every_public_function_of_the_product_has_a_docstring() -> None:
    """Shapes, units, errors and the source of a rule belong there."""
    silent = [
        f"{path}:{function.lineno} {function.name}"
        for path, tree in modules().items()
        if path.parts[0] != "tests"
        for function in functions(tree)
        if not function.name.startswith("_") and _is_public(tree, function) and not ast.get_docstring(function)
    ]
    assert not silent, "add a docstring: " + ", ".join(silent)


def test_nothing_needs_scrolling_to_be_understood() -> None:
    """Functions and modules stay short."""
    long = [
        f"{path}:{function.lineno} {function.name} has {size} lines, at most {FUNCTION_LINES_MAX}: split it"
        for path, tree in modules().items()
        for function in functions(tree)
        if (size := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]
    long += [
        f"{path} has {size} lines, at most {MODULE_LINES_MAX}: split it"
        for path in modules()
        if path.parts[0] != "tests" and (size := len((ROOT / path).read_text().splitlines())) > MODULE_LINES_MAX
    ]
    assert not long, "\n".join(long)


def test_the_files_that_a_run_in_several_processes_begins_with_are_there() -> None:
    """One that was renamed would have lost its place."""
    assert not [name for name in LONG if not (ROOT / name).is_file()]


def test_tests_wait_on_conditions() -> None:
    """tests.support.waiting.eventually instead of a guessed time."""
    asleep = [
        f"{path}:{line}"
        for path, tree in modules().items()
        if path.parts[0] == "tests"
        for line in calls(tree, "time.sleep", "sleep", "asyncio.sleep")
    ]
    assert not asleep, f"use tests.support.waiting.eventually: {asleep}"


def test_nothing_under_kcl_prints() -> None:
    """Standard output is KCL's protocol (hazard H2)."""
    printing = [
        f"{path}:{line}"
        for path, tree in modules().items()
        if path.parts[0] in ("consumer", "operations", "projections", "telemetry")
        for line in calls(tree, "print")
    ]
    assert not printing, f"log instead: {printing}"


def test_no_exception_is_swallowed() -> None:
    """A broad except raises again or ends the process."""
    broad = [
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]
    assert not broad, f"name the exceptions: {broad}"


def test_locks_and_sources_name_no_package_registry() -> None:
    """Whoever builds this uses the registry that their own tools are set up for."""
    # Written so that this file does not name them either.
    hosts = re.compile(
        "|".join(map(re.escape, ("pypi\x2eorg", "files\x2epythonhosted", "repo1\x2emaven", "registry\x2enpmjs")))
    )
    found = [str(path) for path in tracked_files() if hosts.search((ROOT / path).read_text(errors="replace"))]
    assert not found, f"remove the address: {found}"


def test_documented_settings_are_the_settings() -> None:
    """docs/settings.md lists every setting with its default, and no other."""
    from telemetry.settings import Settings

    documented = dict(
        re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    )
    defaults = {name.upper(): field.default for name, field in Settings.model_fields.items()}
    assert documented == {name: "" if value is None else str(value) for name, value in defaults.items()}


def _is_public(tree: ast.Module, function: ast.AST) -> bool:
    """Whether it stands at the top of the module or in a public class there, not inside another function."""
    holders = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    return any(function in body for body in [tree.body, *holders])


def test_the_paths_a_reader_is_sent_to_exist() -> None:
    """Files named in the documents are there."""
    documents = [path for path in tracked_files() if path.suffix == ".md"]
    missing = [
        f"{document} names {name}"
        for document in documents
        for name in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / document).read_text())
        if not (ROOT / document.parent / Path(name)).exists()
    ]
    assert not missing, "\n".join(missing)
