"""Generations under random schedules: filled beside the live one, promoted, dropped, and read all the while."""
