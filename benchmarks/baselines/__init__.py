"""What ours is measured against: honest servers and loops that do the same work the plain way."""
