"""The deterministic simulator: the real group commit, projector, cache and fold under a seeded scheduler and model stores."""
