"""``python -m jscale`` is the command ``jscale``."""

from jscale.cli import main

if __name__ == "__main__":
    main()
