"""DuckDB in memory, shut off: no extensions, no secrets, no files but the one that is named before it is locked."""

import gc
import os

import duckdb

# Nothing may be fetched or loaded because a query or a file asks for it, and nothing is spilled to disk.
SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "temp_directory": "",
    "memory_limit": "2GiB",  # a million rows need half of it; what needs more is an error
}
LOCKED = ("enable_external_access", "python_enable_replacements")

# A forked process, such as a DataLoader's worker, has copies of its parent's connections without their threads, and
# dies if it collects one as garbage. So it leaves alone what was there before it.
os.register_at_fork(after_in_child=gc.freeze)


def connect() -> duckdb.DuckDBPyConnection:
    """Open an empty database in memory; it can read files until it is locked.

    >>> connection = connect()
    >>> lock(connection)
    >>> connection.execute("SELECT * FROM read_csv('/etc/hosts')")
    Traceback (most recent call last):
    _duckdb.PermissionException: Permission Error: ...
    """
    return duckdb.connect(config={**SETTINGS})


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Shut a database off from files, network, extensions and Python's variables, for good."""
    for setting in LOCKED:
        connection.execute(f"SET {setting} = false")
    connection.execute("SET lock_configuration = true")
