"""Engines: where jobs are done, on this machine or on many. They only schedule; what is true stays in the zoo."""
