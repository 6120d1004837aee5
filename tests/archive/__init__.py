"""The chain: names, objects, targets, the archiver."""
