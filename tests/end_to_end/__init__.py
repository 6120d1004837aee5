"""Through HTTP, the real stream, the real daemon and the real tables."""
