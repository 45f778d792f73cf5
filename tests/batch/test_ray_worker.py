"""The same batch on a Ray cluster: placed, replaced when an actor or a machine is lost, and with the same outputs.

The tests with a cluster need Ray, which the development environment does not bring: pip install 'limpet[ray]'.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from limpet.batch.config import BatchConfig
from limpet.batch.dispatch import WorkerDiedError
from limpet.batch.job_settings import JobSettings
from limpet.batch.ledger import JobOutcome, Ledger
from limpet.batch.process_worker import Launch
from limpet.batch.ray_worker import RayWorker, WorkerHost, join_cluster, plan_workers, ray_workers
from limpet.batch.run_batch import run_batch
from limpet.core.errors import LimpetError, MissingExtraError, OutputError

from .stand_in import SAID
from .test_dispatch import task
from .test_process_worker import STAND_IN, nothing
from .test_run_batch import jobs_of, tries


class GoneError(Exception):
    """As Ray's: the actor is gone."""


class FakeRay:
    """What the runner uses of Ray, in this process: each call is answered by the next of ``answers``."""

    exceptions = SimpleNamespace(RayError=GoneError)

    def __init__(self, *answers: Any) -> None:
        self.answers, self.placed, self.killed = list(answers), 0, 0

    def place(self) -> Any:
        self.placed += 1
        return SimpleNamespace(run=SimpleNamespace(remote=lambda facts: facts["folder"]))

    def get(self, reference: str) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, actor: Any) -> None:
        self.killed += 1


def test_an_actor_that_is_lost_is_replaced() -> None:
    done = {"status": "done", "reason": "", "frames": 2, "object_ids": [7], "lost": [], "look_first": []}
    ray = FakeRay(
        ("outcome", done), GoneError("node 3 died\nmore"), ("died", "was killed"), ("outcome", done)
    )
    worker = RayWorker(ray, ray.place)
    assert worker.run(task("a"), nothing) == JobOutcome("done", "", 2, (7,))
    with pytest.raises(WorkerDiedError, match=r"^the worker's actor ended: node 3 died$"):
        worker.run(task("a"), nothing)
    with pytest.raises(WorkerDiedError, match="was killed"):
        worker.run(task("a"), nothing)
    assert worker.run(task("a"), nothing).status == "done"
    assert (ray.placed, ray.killed) == (2, 1), "a process that died is replaced by its own actor"
    ray.answers = [("refused", "no limpet there")]
    with pytest.raises(OutputError, match="no limpet there"):
        worker.run(task("a"), nothing)
    worker.stop()
    with pytest.raises(WorkerDiedError):
        worker.run(task("a"), nothing)
    assert (ray.placed, ray.killed) == (2, 2)


def test_how_many_workers_and_where() -> None:
    cpus, gpus = {"CPU": 16.0}, {"CPU": 16.0, "GPU": 4.0}
    assert plan_workers(BatchConfig(), cpus, 100) == ("cpu", 16)
    assert plan_workers(BatchConfig(threads=4), cpus, 100) == ("cpu", 4)
    assert plan_workers(BatchConfig(), gpus, 100) == ("cuda", 4)
    assert plan_workers(BatchConfig(device="cpu"), gpus, 3) == ("cpu", 3)
    assert plan_workers(BatchConfig(workers=64, device="cuda"), {}, 100) == ("cuda", 64), (
        "a cluster that grows"
    )


def test_the_actor_answers_in_plain_data(tmp_path: Path) -> None:
    host = WorkerHost(Launch((sys.executable, "-c", "import sys; sys.exit(1)"), 1, tmp_path / "log"))
    kind, text = host.run(task("a").as_dict())
    assert kind == "refused" and "exit code 1 before it was ready" in text


def test_no_cluster_and_no_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise Exception("Could not find any running Ray instance.\nmore")

    with pytest.raises(
        LimpetError, match=r"no Ray cluster at 'auto' \(Could not find .*; start one with: ray start"
    ):
        join_cluster(SimpleNamespace(is_initialized=lambda: False, init=refuse), "auto")
    with pytest.raises(
        LimpetError, match=r"^Ray does not start here: Could not find any running Ray instance\.$"
    ):
        join_cluster(SimpleNamespace(is_initialized=lambda: False, init=refuse), "local")
    for missing in (None, ModuleType("ray")):  # the latter is what a folder "ray" in the current folder gives
        monkeypatch.setitem(sys.modules, "ray", missing)
        with pytest.raises(MissingExtraError, match=r"pip install 'limpet\[ray\]'"):
            run_batch(jobs_of("a"), tmp_path / "out", BatchConfig(ray="local"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core on this machine; tests may remove one and add another."""
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'limpet[ray]'")
    from ray.cluster_utils import Cluster

    tests = str(Path(__file__).parents[1])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_memory_monitor_refresh_ms", "0")  # this machine may be full of other programs
        environment.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
        environment.setenv("OMP_NUM_THREADS", "1")
        environment.setenv("PYTHONPATH", os.pathsep.join([*sys.path, tests]))
        small = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args=small)
        made.add_node(num_cpus=1, object_store_memory=80_000_000)
        ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
        made.wait_for_nodes()
        yield made
        ray.shutdown()
        made.shutdown()


def pretending(config: BatchConfig, ledger: Ledger, jobs: int) -> Any:
    return ray_workers(config, ledger, jobs, lambda device, threads: STAND_IN)


def test_a_worker_and_a_node_are_lost_and_their_jobs_are_done_elsewhere(cluster: Any, tmp_path: Path) -> None:
    names = ["a", "bad", "die", "slow", "slow-too", "b"]
    removed: list[int] = []

    def lose() -> None:
        """Once both nodes are busy: one node goes, then the process of the job that runs on the other one."""
        said = [tmp_path / name / SAID for name in ("slow", "slow-too")]
        until = time.monotonic() + 100
        while not all(path.exists() for path in said) and time.monotonic() < until:
            time.sleep(0.05)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        removed.append(1)

    thread = threading.Thread(target=lose)
    thread.start()
    config = BatchConfig(time_limit=20, retries=3)
    result = run_batch(jobs_of(*names), tmp_path, config, make_workers=pretending)
    thread.join()
    assert removed and (result.total, result.done, result.failed) == (6, 3, 3)
    counted = tries(tmp_path)
    assert counted["die"] == 2 and sorted((counted["slow"], counted["slow-too"])) == [1, 2]
    cluster.add_node(num_cpus=1, object_store_memory=80_000_000)


def test_outputs_are_those_of_a_batch_without_ray(cluster: Any, tmp_path: Path) -> None:
    from cli.clips import picture, write_first_mask, write_video

    (tmp_path / "clips").mkdir()
    for name in ("one", "two"):
        write_video(tmp_path / f"clips/{name}.mp4", [picture(index + len(name)) for index in range(4)])
        write_first_mask(tmp_path / f"clips/{name}.png")
    settings = JobSettings("deaot-nano", max_size=48, enlarge=1.0, precision="fp32")
    for out, ray in (("ray", "auto"), ("plain", None)):
        result = run_batch(
            tmp_path / "clips",
            tmp_path / out,
            BatchConfig(ray=ray, device="cpu", workers=2),
            settings=settings,
        )
        assert result.complete, (tmp_path / out / "batch.json").read_text()
    files = [
        path.relative_to(tmp_path / "plain") for path in (tmp_path / "plain").rglob("*") if path.is_file()
    ]
    results = [path for path in files if path.parts[0] in ("one", "two", "batch.json")]
    assert len(results) == 2 * (4 + 4) + 1
    for path in results:
        assert (tmp_path / "ray" / path).read_bytes() == (tmp_path / "plain" / path).read_bytes(), path
