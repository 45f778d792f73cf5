"""A server as ``limpet serve`` runs it, with the tiny worker: its arguments are the project's folder and the model."""

from __future__ import annotations

import sys
from pathlib import Path

from limpet.serve import background
from limpet.serve.run_server import run_server
from limpet.serve.workbench import ServeConfig, Workbench

if __name__ == "__main__":
    background.SAVE_SECONDS = 0.0
    folder = Path(sys.argv[1])
    bench = Workbench(
        ServeConfig((folder.parent,), model=sys.argv[2]),
        [sys.executable, str(Path(__file__).with_name("tiny_worker.py"))],
    )
    bench.open(folder)
    run_server(bench, "127.0.0.1", 0, lambda listening: print(listening.address, flush=True))
    print("ended", flush=True)
