"""GET under /api: what the projection says."""
