"""What members represent: their features, and how similar those are."""
