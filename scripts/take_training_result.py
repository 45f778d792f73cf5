"""Takes the result of a brief training home: joins its pieces, and writes the weights and a row of the log.

    python scripts/take_training_result.py RESULT --out runs/brief --runs docs/runs.md --name "student 12"

RESULT is what ``train_briefly.py`` left in its ``--out``: pieces that are small enough to be copied, and a manifest.
The folder ``--out`` gets ``weights.safetensors``, the log, the curves, the benchmarks and ``facts.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError
from limpet.core.files import atomic_path, check_free

FORMAT = "limpet-training-result-1"
MANIFEST = "result.json"
WEIGHTS = "weights.safetensors"
PIECE = 15 * 2**20  # bytes


def write_result(out: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> None:
    """Write files and facts to ``out`` in pieces; those of an earlier call go when the new ones are whole."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    data = buffer.getvalue()
    out.mkdir(parents=True, exist_ok=True)
    manifest = out / MANIFEST
    generation = 1 + (json.loads(manifest.read_text())["generation"] if manifest.exists() else 0)
    pieces = []
    for number, start in enumerate(range(0, len(data), PIECE), start=1):
        piece = data[start : start + PIECE]
        name = f"result-{generation}-{number}.piece"
        with atomic_path(out / name) as temporary:
            temporary.write_bytes(piece)
        pieces.append({"name": name, "bytes": len(piece), "sha256": hashlib.sha256(piece).hexdigest()})
    content = {"format": FORMAT, "generation": generation, "pieces": pieces, "facts": dict(facts)}
    with atomic_path(manifest) as temporary:
        temporary.write_text(json.dumps(content, indent=1))
    for old in out.glob("result-*.piece"):
        if old.name not in {piece["name"] for piece in pieces}:
            old.unlink()


def read_result(folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files and facts of a result. Raises DataError: a piece is missing or damaged, or there is no result."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise DataError(
            f"there is no {MANIFEST} in {folder}; expected what train_briefly.py left in its --out"
        )
    content = json.loads(manifest.read_text())
    if content.get("format") != FORMAT:
        raise DataError(f"{manifest} is of the format {content.get('format')!r}, expected {FORMAT!r}")
    joined = b""
    for piece in content["pieces"]:
        path = folder / piece["name"]
        if not path.is_file():
            raise DataError(f"the piece {path} is missing; copy all of {len(content['pieces'])} pieces")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != piece["sha256"]:
            raise DataError(
                f"the piece {path} is damaged ({len(data)} of {piece['bytes']} bytes); copy it again"
            )
        joined += data
    with zipfile.ZipFile(io.BytesIO(joined)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}, content["facts"]


def take(folder: Path, out: Path, overwrite: bool = False) -> dict[str, Any]:
    """Write the files of a result to the folder ``out``; returns its facts. Raises DataError, OutputError."""
    files, facts = read_result(folder)
    check_free(out / WEIGHTS, overwrite)
    for name, content in (files | {"facts.json": json.dumps(facts, indent=1).encode()}).items():
        target = out / name
        if not target.resolve().is_relative_to(out.resolve()):
            raise DataError(f"the result holds a file {name!r}, which would be outside of {out}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
    return facts


def row(facts: Mapping[str, Any], name: str) -> str:
    """The run's row of the table in docs/runs.md; its score is not known yet."""
    steps = f"{facts['steps']:,}" + ("" if facts["ended"] in ("time", "steps") else f", {facts['ended']}")
    cells = (
        facts["date"], f"{name}, `{facts['model']}`", facts["commit"] or "-", facts["hardware"],
        f"{facts['training_minutes']:.0f} min", steps, "-",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def with_row(page: str, line: str) -> str:
    """The page with a row after the last one of its table of runs. Raises DataError: there is no such table."""
    lines = page.splitlines(keepends=True)
    rows = [index for index, text in enumerate(lines) if text.startswith("| 20")]
    if not rows:
        raise DataError("the page has no table whose rows begin with a date; expected that of docs/runs.md")
    return "".join([*lines[: rows[-1] + 1], f"{line}\n", *lines[rows[-1] + 1 :]])


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("result", type=Path, help="folder with result.json and the pieces")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the log")
    parser.add_argument("--name", default="brief training", help="of the run, in its row")
    parser.add_argument("--runs", type=Path, help="the page that gets the row, docs/runs.md")
    parser.add_argument("--overwrite", action="store_true", help="replace what is in --out")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    facts = take(options.result, options.out, options.overwrite)
    line = row(facts, options.name)
    if options.runs is not None:
        page = with_row(options.runs.read_text(encoding="utf-8"), line)
        with atomic_path(options.runs) as temporary:
            temporary.write_text(page, encoding="utf-8")
    print(f"{options.out / WEIGHTS}\n{line}\n{facts['command']}")


if __name__ == "__main__":
    main()
