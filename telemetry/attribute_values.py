"""DynamoDB's attribute values pass through the SDK as they are: they look on the wire as they do in Python, but for bytes.

botocore walks each of them member by member along its model, which takes longer than all else that is done with a row. These do
what its own serializer and parser do of JSON, and nothing else differently.
"""

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.parsers import JSONParser, ResponseParserFactory
from botocore.serialize import JSONSerializer

_SHAPE: Final = "AttributeValue"


def _text(data: bytes) -> str:
    return b64encode(data).decode()


# Whoever has many of them passes numbers and strings on without calling this, which takes longer than they do.
def _walk(value: Any, of_bytes: Callable[[Any], Any]) -> Any:
    """An attribute value with its bytes, at any depth, made anew."""
    ((kind, held),) = value.items()
    match kind:
        case "B":
            return {kind: of_bytes(held)}
        case "BS":
            return {kind: [of_bytes(one) for one in held]}
        case "L":
            return {kind: [_walk(one, of_bytes) for one in held]}
        case "M":
            return {kind: {name: _walk(one, of_bytes) for name, one in held.items()}}
    return value


class AttributeValueSerializer(JSONSerializer):
    """Writes requests."""

    def _serialize_type_structure(self, serialized: Any, value: Any, shape: Any, key: Any) -> None:
        if shape.name == _SHAPE:
            serialized[key] = _walk(value, _text)
        else:
            super()._serialize_type_structure(serialized, value, shape, key)  # type: ignore[misc]

    def _serialize_type_map(self, serialized: Any, value: Any, shape: Any, key: Any) -> None:
        if shape.value.name == _SHAPE:
            serialized[key] = {name: one if "N" in one or "S" in one else _walk(one, _text) for name, one in value.items()}
        else:
            super()._serialize_type_map(serialized, value, shape, key)  # type: ignore[misc]


class AttributeValueParser(JSONParser):
    """Reads answers."""

    def _handle_structure(self, shape: Any, value: Any) -> Any:
        return _walk(value, a2b_base64) if shape.name == _SHAPE else super()._handle_structure(shape, value)  # type: ignore[misc]

    def _handle_map(self, shape: Any, value: Mapping[str, Any]) -> Any:
        if shape.value.name == _SHAPE:
            return {name: one if "N" in one or "S" in one else _walk(one, a2b_base64) for name, one in value.items()}
        return super()._handle_map(shape, value)  # type: ignore[misc]


class Parsers(ResponseParserFactory):
    """Gives clients of JSON services our parser."""

    def create_parser(self, protocol_name: str) -> Any:
        """A parser of answers."""
        return AttributeValueParser() if protocol_name == "json" else super().create_parser(protocol_name)
