"""GitHub's expressions, as far as our workflows use them: what `${{ … }}` is, given the contexts.

Operators, functions and what is missing: GitHub Actions documentation, "Evaluate expressions in workflows and actions". What is
not known here is an error, never a guess.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

type Contexts = Mapping[str, Mapping[str, Any]]
"""By name, for example `vars`, what a context holds. What it does not hold is null."""

_TOKEN: Final = re.compile(r"\s*('(?:[^']|'')*'|\|\||&&|[!=]=|[][(),.!]|[\w-]+)\s*")
_EXPRESSION: Final = re.compile(r"\$\{\{((?:'(?:[^']|'')*'|[^'])*?)\}\}")
"""Braces in a string of it end none."""


def filled(text: str, contexts: Contexts) -> str:
    """A text with every expression in it replaced by its value."""
    return _EXPRESSION.sub(lambda found: _text(evaluated(found[1], contexts)), text)


def expressions(loaded: Any) -> Iterator[str]:
    """The texts with an expression in a YAML file that was loaded; the value of an `if` is one without brackets."""
    if isinstance(loaded, Mapping):
        for key, value in loaded.items():
            if key == "if" and "${{" not in str(value):
                yield f"${{{{ {value} }}}}"
            else:
                yield from expressions(value)
    elif isinstance(loaded, list):
        for value in loaded:
            yield from expressions(value)
    elif isinstance(loaded, str) and "${{" in loaded:
        yield loaded


def evaluated(expression: str, contexts: Contexts) -> Any:
    """An expression's value. Raises ValueError for what is none."""
    tokens, place = [], 0
    while place < len(expression.rstrip()):
        found = _TOKEN.match(expression, place)
        if not found:
            raise ValueError(f"no expression from here on: {expression[place:]}")
        tokens.append(found[1])
        place = found.end()
    parser = _Parser(tokens, contexts)
    value = parser.either()
    parser.end()
    return value


class _Parser:
    def __init__(self, tokens: list[str], contexts: Contexts) -> None:
        self._tokens = tokens
        self._contexts = contexts

    def end(self) -> None:
        if self._tokens:
            raise ValueError(f"more than an expression: {self._tokens}")

    def _next(self, *wanted: str) -> str | None:
        """The next token, taken away, if it is one of those; any, if none is named."""
        if self._tokens and (not wanted or self._tokens[0] in wanted):
            return self._tokens.pop(0)
        return None

    def _take(self, wanted: str) -> None:
        if not self._next(wanted):
            raise ValueError(f"{wanted} is missing before {self._tokens}")

    def either(self) -> Any:
        value = self._both()
        while self._next("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._next("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> Any:
        value = self._single()
        while operator := self._next("==", "!="):
            value = (value == self._single()) is (operator == "==")
        return value

    def _single(self) -> Any:
        if self._next("!"):
            return not self._single()
        if self._next("("):
            value = self.either()
            self._take(")")
            return value
        token = self._next() or ""
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._next("("):
            return _called(token, self._arguments())
        value = self._contexts[token]
        while mark := self._next(".", "["):
            key = self._next() if mark == "." else self.either()
            if mark == "[":
                self._take("]")
            value = _named(value or {}, str(key))
        return value

    def _arguments(self) -> list[Any]:
        found: list[Any] = []
        while not self._next(")"):
            found.append(self.either())
            self._next(",")
        return found


def _called(name: str, arguments: list[Any]) -> Any:
    match name, arguments:
        case "format", [pattern, *values]:
            return str(pattern).format(*map(_text, values))  # braces are doubled as in Python
        case "fromJSON", [text]:
            return json.loads(text)
        case "contains", [found, wanted]:
            return wanted in found
        case "failure" | "cancelled", []:
            return False
    raise ValueError(f"{name} is no function that is known here")


def _named(context: Mapping[str, Any], key: str) -> Any:
    """What a context holds under a name, however that is spelled."""
    return next((value for name, value in context.items() if name.lower() == key.lower()), None)


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
