"""``python -m vitzoo`` is ``vitzoo``."""

from vitzoo.cli.main import run

if __name__ == "__main__":
    run()
