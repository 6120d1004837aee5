"""What changes, told while it changes."""
