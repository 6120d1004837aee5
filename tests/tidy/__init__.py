"""The rules of the tree itself, each with a message that names the fix."""
