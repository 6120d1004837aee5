"""How large DynamoDB takes an item to be, and what writing it costs (DynamoDB, "Item sizes and formats"). Pure."""

from typing import Any, Final

UNIT_BYTES: Final = 1024
_DOCUMENT_BYTES: Final = 3
"""Of a list or map, whatever it holds; each of its elements takes one more."""


def write_units_of(item: dict[str, Any]) -> int:
    """One for each kilobyte begun."""
    return -(-size_bytes(item) // UNIT_BYTES)


def size_bytes(item: dict[str, Any]) -> int:
    """Names and values of all attributes, in bytes."""
    return sum(sizes_bytes(item).values())


def sizes_bytes(item: dict[str, Any]) -> dict[str, int]:
    """Each attribute with its name, in bytes."""
    return {name: _text(name) + _value(value) for name, value in item.items()}


def _value(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S" | "SS":
            return sum(map(_text, [content] if kind == "S" else content))
        case "N":
            return _number(content)
        case "B":
            return len(content)
        case "BOOL":
            return 1
        case "L":
            return _DOCUMENT_BYTES + sum(1 + _value(element) for element in content)
        case "M":
            return _DOCUMENT_BYTES + sum(1 + _text(name) + _value(element) for name, element in content.items())
        case _:
            raise ValueError(f"nothing of ours holds a {kind}")


def _text(text: str) -> int:
    return len(text.encode())


def _number(text: str) -> int:
    """A byte, one for a minus, and one for each pair of digits begun. Ours are whole; zeros at either end are not stored."""
    digits = text.removeprefix("-").strip("0")
    return 1 + text.startswith("-") + (len(digits) + 1) // 2
