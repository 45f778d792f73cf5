"""`limpet serve` without torch, for tests: FOLDER PORT [PROJECT]. Its tracker repeats the last mask, 0.2 s a frame."""

from __future__ import annotations

import sys
from pathlib import Path

from limpet.serve.run_server import run_server
from limpet.serve.workbench import ServeConfig, Workbench

WORKER = Path(__file__).parents[1] / "tiny_worker.py"


def main() -> None:
    folder, port, *projects = sys.argv[1:]
    bench = Workbench(ServeConfig((Path(folder),), "slow"), [sys.executable, str(WORKER)])
    for project in projects:
        bench.open(Path(folder) / project)
    run_server(bench, "127.0.0.1", int(port), lambda listening: print(listening.address, flush=True))


if __name__ == "__main__":
    main()
