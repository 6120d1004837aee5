"""Tests of consumer/."""
