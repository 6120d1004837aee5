"""What a client likes best, as headers of the Accept family say it (RFC 9110, 12.4.2)."""

from collections.abc import Iterator


def preferences(header: str) -> Iterator[tuple[str, float]]:
    """Each thing that such a header names, in lower case and without parameters, and its weight from 0 to 1.

    One that is not wanted weighs 0, and so does one whose weight is no number.
    """
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        try:
            yield name, max(0.0, min(float(weight), 1.0))
        except ValueError:
            yield name, 0.0
