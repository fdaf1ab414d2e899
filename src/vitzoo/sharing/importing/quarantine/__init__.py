"""The one place where files are opened that might do harm: a process of its own that can do nothing but convert."""
