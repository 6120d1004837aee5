"""Figures as ratios: ours and a baseline side by side, in turn, on this machine. docs/performance.md tells how to read them."""
