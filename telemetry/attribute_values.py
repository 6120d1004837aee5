"""DynamoDB's attribute values pass through the SDK as they are: they look on the wire as they do in Python, but for bytes.

botocore walks each of them member by member along its model, which takes longer than all else that is done with a row. These do
what its own serializer and parser do of JSON, and nothing else differently.
"""

from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, Final

from botocore.parsers import JSONParser, ResponseParserFactory
from botocore.serialize import JSONSerializer
from msgspec.json import encode

_SHAPE: Final = "AttributeValue"


# Whoever has many of them passes numbers and strings on without calling this, which takes longer than they do.
def _read(value: Any) -> Any:
    """An attribute value with its bytes, at any depth, made anew."""
    ((kind, held),) = value.items()
    match kind:
        case "B":
            return {kind: a2b_base64(held)}
        case "BS":
            return {kind: [a2b_base64(one) for one in held]}
        case "L":
            return {kind: [_read(one) for one in held]}
        case "M":
            return {kind: {name: _read(one) for name, one in held.items()}}
    return value


class AttributeValueSerializer(JSONSerializer):
    """Writes requests, which hold nothing that looks different in JSON but bytes."""

    def serialize_to_request(self, parameters: Any, operation_model: Any) -> Any:
        """The request, of parameters that nobody validates."""
        return super().serialize_to_request({}, operation_model) | {"body": encode(parameters)}


class AttributeValueParser(JSONParser):
    """Reads answers."""

    def _handle_structure(self, shape: Any, value: Any) -> Any:
        return _read(value) if shape.name == _SHAPE else super()._handle_structure(shape, value)  # type: ignore[misc]

    def _handle_map(self, shape: Any, value: Mapping[str, Any]) -> Any:
        if shape.value.name == _SHAPE:
            return {name: one if "N" in one or "S" in one else _read(one) for name, one in value.items()}
        return super()._handle_map(shape, value)  # type: ignore[misc]


class Parsers(ResponseParserFactory):
    """Gives clients of JSON services our parser."""

    def create_parser(self, protocol_name: str) -> Any:
        """A parser of answers."""
        return AttributeValueParser() if protocol_name == "json" else super().create_parser(protocol_name)
