"""``python -m limpet`` is the ``limpet`` command of this Python, wherever it is installed."""

from limpet.cli.main import main

if __name__ == "__main__":
    main()
