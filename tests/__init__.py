"""The tests, in the shape of the tree they test. Each name is a sentence about behaviour."""
