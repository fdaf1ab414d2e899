"""The landscape of the loss around members: its curvature, and the way from one member to another."""
