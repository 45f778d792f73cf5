"""``python -m fuzz --minutes N [--kind KIND ...]``: fuzzes each kind for its share of the time, and sums up.

Inputs that reach new lines are kept in ``--out``/corpora, to begin with the next time, and faults in ``--out``/faults.
The exit code is 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.stderr, shown = open(os.devnull, "w"), sys.stderr  # noqa: PTH123, SIM115  a line for each module
with atheris.instrument_imports(include=["limpet"]):
    from damage.changes import changed_at_random
    from damage.kinds import KINDS
    from damage.trial import Trial
sys.stderr = shown

MEMORY_MB, SECONDS = 1024, 10
"""What an input may take; more is a fault."""


_WRONG = ("crash", "hang", "an empty sentence")


def main() -> int:
    """Parse the options and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="of all kinds together [10]")
    parser.add_argument(
        "--kind", action="append", choices=list(KINDS), metavar="KIND", help="may be repeated [all]"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "fuzz-results", help="folder of what is kept")
    given = parser.parse_args()
    kinds = given.kind or list(KINDS)
    inputs, faults = 0, 0
    for kind in kinds:
        count, fault = fuzz(kind, max(2, round(60 * given.minutes / len(kinds))), given.out)
        inputs, faults = inputs + count, faults + (fault is not None)
        print(f"{kind}: {count} inputs{f', a fault: {fault}' if fault else ''}", flush=True)
    print(f"{inputs} inputs, {faults} faults")
    return 1 if faults else 0


def fuzz(kind: str, seconds: int, out: Path) -> tuple[int, str | None]:
    """Fuzz a kind in a process of its own; gives the number of inputs, and the first fault in words."""
    name = re.sub(r"[^a-z0-9]+", "-", kind.lower())
    corpus, faults = out / "corpora" / name, out / "faults" / name
    for each in (corpus, faults):
        each.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY_MB}"]
    options += ["-max_len=65536", "-print_final_stats=1", f"-artifact_prefix={faults}/", str(corpus)]
    began = time.monotonic()
    text, status = _in_a_child(kind, faults, options)
    found = re.search(r"number_of_executed_units: (\d+)", text)
    count = int(found[1]) if found else 0
    line = re.search(r"FAULT: (.*)|ERROR: libFuzzer: (.*)", text)
    fault = line[0] if line else f"ended with status {status}: {text[-300:]}" if status else None
    row = {"kind": kind, "inputs": count, "seconds": round(time.monotonic() - began), "fault": fault}
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")
    return count, fault


def _in_a_child(kind: str, faults: Path, options: list[str]) -> tuple[str, int]:
    """What libFuzzer says, and the status with which it ends the process."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if not child:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            try:
                _fuzz_here(kind, faults, options)
            finally:
                os._exit(70)  # libFuzzer has ended the process before
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return said.read().decode(errors="replace"), os.waitstatus_to_exitcode(status)


def _fuzz_here(kind: str, faults: Path, options: list[str]) -> None:
    logging.disable(logging.CRITICAL)
    trial = Trial(KINDS[kind], Path(tempfile.mkdtemp(prefix="limpet-fuzz-")), seconds=0)

    known: set[str] = set()

    def read(data: bytes) -> None:
        outcome = trial.outcome(data)  # another value may be right: here a check sum may be gone or mended
        sort = re.sub(r"\d+", "#", outcome)[:200]
        if outcome.startswith(_WRONG) and sort not in known:
            known.add(sort)
            name = hashlib.sha256(data).hexdigest()[:16]
            (faults / name).write_bytes(data)
            print(f"FAULT: {outcome} ({name})", flush=True)

    def change(data: bytes, most: int, number: int) -> bytes:
        if number % 3 == 0:
            return bytes(atheris.Mutate(data, most))
        whole = data if number % 3 == 1 and data else trial.data
        return changed_at_random(whole, trial.is_json, number)[:most]

    atheris.Setup(["fuzz", *options], read, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
