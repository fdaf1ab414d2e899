"""Growing: blueprint → plan → populations → zoo. The only place where training meets the disk."""
