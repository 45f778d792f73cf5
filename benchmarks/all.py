"""Measures every figure of docs/benchmarks.md again, and makes the page from them; make benchmarks calls it.

    python benchmarks/all.py                            # about twenty minutes on two cores that do nothing else
    python benchmarks/all.py --only deaot-t-bf16        # those whose name contains this
    python benchmarks/all.py --only-page                # tables and picture from the reports that are there
    python benchmarks/all.py --bundles DIR              # keep the exported trackers, and take those that are there

Every measurement is a ``limpet bench`` in a process of its own, so that its peak memory is its own. The reports are in
docs/benchmarks/; those of the last time are kept in docs/benchmarks/earlier/ for the table of changes, unless other
programs disturbed them. Trackers are exported again into a temporary folder, unless --bundles names a folder to keep
them in. In int8 each export takes minutes, since it is compared with torch along a clip.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from report_chart import draw_chart
from report_page import read_reports, write_page

from limpet.bench.machine import describe_machine, machine_lines
from limpet.bench.report import read_report
from limpet.weights.zoo import bundled_weights

DOCS = Path(__file__).resolve().parents[1] / "docs"
FOLDER = DOCS / "benchmarks"
LIMPET = [sys.executable, "-c", "from limpet.cli.main import main; main()"]
SIZE = "480x854"
SMALL = 320


@dataclass(frozen=True)
class Measurement:
    """One report. arguments: of ``limpet bench``.

    bundle: name of the exported tracker that is measured, and export: how ``limpet export`` makes it; "" for torch.
    """

    name: str
    arguments: tuple[str, ...]
    bundle: str = ""
    export: tuple[str, ...] = ()


def measurements() -> list[Measurement]:
    """All of the page."""
    found = []
    for model in ("deaot-t", "deaot-t-deformable"):
        found += [steps(model, "bf16", 480, objects) for objects in (1, 3, 10)]
        found += [steps(model, "fp32", 480, 3), steps(model, "bf16", SMALL, 3)]
        found += [exported(model, "onnx", "fp32", 480), exported(model, "openvino", "bf16", 480)]
        found += [exported(model, "openvino", "int8", 480), exported(model, "litert", "fp32", 480)]
    found.append(steps("deaot-l", "bf16", 480, 3))
    for model in ("deaot-t-deformable", "deaot-nano"):
        found.append(end_to_end(steps(model, "bf16", SMALL, 3)))
        found.append(end_to_end(exported(model, "openvino", "int8", SMALL)))
    return [m for m in found if has_weights(m)]


def has_weights(measurement: Measurement) -> bool:
    """Whether there are trained weights to export; torch takes random ones, which are as fast."""
    model = measurement.export[0] if measurement.export else ""
    return not model or bundled_weights(model) is not None


def steps(model: str, precision: str, size: int, objects: int) -> Measurement:
    """A tracker of torch."""
    name = f"{model}-{precision}-{size}px-{objects}"
    sizes = ("--size", SIZE, "--max-size", str(size))
    return Measurement(name, (model, *sizes, "--precision", precision, "--objects", str(objects)))


def exported(model: str, engine: str, precision: str, size: int) -> Measurement:
    """A tracker in another engine, with three objects; the bundle has room for no more."""
    sizes = ("--size", SIZE, "--max-size", str(size))
    int8 = ("--int8",) if precision == "int8" else ()
    export = (model, "--to", engine, *sizes, "--objects", "3", *int8)
    asked = ("--precision", precision) if (engine, precision) == ("openvino", "bf16") else ()
    bundle = f"{model}-{engine}-{size}px{'-int8' * bool(int8)}"
    return Measurement(
        f"{model}-{engine}-{precision}-{size}px-3", ("--size", SIZE, "--objects", "3", *asked), bundle, export
    )


def end_to_end(steps: Measurement) -> Measurement:
    """The same from a video file to masks."""
    return replace(
        steps,
        name=f"{steps.name}-end-to-end",
        arguments=(*steps.arguments, "--end-to-end", "--frames", "40"),
    )


def measure(measurement: Measurement, threads: int, bundles: Path) -> None:
    """Run it in a process of its own; its report replaces the one before, which is kept as the earlier one."""
    arguments = list(measurement.arguments)
    if measurement.bundle:
        bundle = bundles / measurement.bundle
        if not bundle.is_dir():
            subprocess.run([*LIMPET, "export", *measurement.export, "--out", str(bundle)], check=True)
        arguments += ["--bundle", str(bundle)]
    new = bundles / f"{measurement.name}.json"
    command = [*LIMPET, "bench", *arguments, "--threads", str(threads), "--json", str(new)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    kept = FOLDER / f"{measurement.name}.json"
    if kept.exists() and not read_report(kept).is_disturbed:
        kept.replace(FOLDER / "earlier" / kept.name)
    kept.write_text(new.read_text())


def main() -> None:
    options = parse()
    (FOLDER / "earlier").mkdir(parents=True, exist_ok=True)
    chosen = (
        []
        if options.only_page
        else [m for m in measurements() if any(word in m.name for word in options.only)]
    )
    if chosen:
        print("\n".join(machine_lines(describe_machine())))
    before = time.perf_counter()
    with TemporaryDirectory(prefix="limpet-benchmarks-") as temporary:
        for number, measurement in enumerate(chosen, start=1):
            print(f"{number} of {len(chosen)}: {measurement.name}", flush=True)
            measure(measurement, options.threads, options.bundles or Path(temporary))
    reports = read_reports(FOLDER)
    earlier = read_reports(FOLDER / "earlier") if any((FOLDER / "earlier").glob("*.json")) else {}
    draw_chart(reports, DOCS / "pictures" / "benchmarks.png")
    write_page(DOCS / "benchmarks.md", reports, earlier)
    print(
        f"{DOCS / 'benchmarks.md'} holds {len(reports)} measurements ({time.perf_counter() - before:.0f} s)"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="WORD", help="measure those whose name contains a WORD"
    )
    parser.add_argument("--only-page", action="store_true", help="measure nothing")
    parser.add_argument("--bundles", type=Path, metavar="DIR", help="folder of exported trackers")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
