"""Models of different trees brought together: aligned by symmetries, which change no model's function, and averaged."""
