"""What the simulator raises when a promise is broken."""


class Violation(AssertionError):
    """A promise broken by a schedule."""
