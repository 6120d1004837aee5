"""Tests of the set-up and the local platform."""
