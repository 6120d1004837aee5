"""The benchmarks themselves: what they count is right, and what they run starts."""
