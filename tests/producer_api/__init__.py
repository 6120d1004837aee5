"""Tests of producer_api/."""
