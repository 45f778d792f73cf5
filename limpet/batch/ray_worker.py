"""Runner: workers on a Ray cluster.

Each is an actor, which Ray places where there are cores or a GPU for it, and which holds one process of its own as on a
single machine (``process_worker``): limits, logs and the end of a process are the same. All machines see the folder of
the batch and the videos under the same paths; nothing but tasks and outcomes goes through Ray.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from limpet.batch.config import BatchConfig
from limpet.batch.dispatch import Worker, WorkerDiedError
from limpet.batch.job import JobTask, OnFrames
from limpet.batch.ledger import JobOutcome, Ledger
from limpet.batch.process_worker import Launch, ProcessWorker, worker_command
from limpet.core.errors import LimpetError, MissingExtraError, OutputError
from limpet.core.without_telemetry import without_telemetry

LOCAL = "local"
_LOCAL_STORE = 100_000_000
"""Bytes of Ray's object store where it is started here: tasks and outcomes are small."""
OUTCOME, DIED, REFUSED = "outcome", "died", "refused"
"""How a call of the actor ended; errors come back as text, since not every error can be pickled."""


class WorkerHost:
    """The actor: a process that does jobs, on the machine where Ray placed it."""

    def __init__(self, launch: Launch) -> None:
        self._worker = ProcessWorker(launch)

    def run(self, facts: dict[str, Any]) -> tuple[str, Any]:
        """Do a job, given and answered as plain data."""
        try:
            return OUTCOME, asdict(self._worker.run(JobTask.from_dict(facts), lambda done, total: None))
        except WorkerDiedError as error:
            return DIED, str(error)
        except LimpetError as error:
            return REFUSED, str(error)


class RayWorker:
    """One worker on the cluster; another actor takes its place when it dies, perhaps on another machine.

    See ``limpet.batch.dispatch.Worker``. While it works it tells nothing of frames.

    Args:
        ray: the module. place: has Ray start an actor.
    """

    def __init__(self, ray: Any, place: Callable[[], Any]) -> None:
        self._ray, self._place = ray, place
        self._actor: Any = None
        self._stopped = False

    def run(self, task: JobTask, on_frames: OnFrames) -> JobOutcome:
        """Do a job, as soon as there is room for the actor.

        Raises:
            WorkerDiedError: the actor or its machine is gone, or its process ended. OutputError: no process can be
                started there.
        """
        if self._stopped:
            raise WorkerDiedError("the worker was stopped")
        if self._actor is None:
            self._actor = self._place()
        try:
            kind, content = self._ray.get(self._actor.run.remote(task.as_dict()))
        except self._ray.exceptions.RayError as error:
            self.close()
            raise WorkerDiedError(f"the worker's actor ended: {str(error).splitlines()[0]}") from error
        if kind == REFUSED:
            raise OutputError(content)
        if kind == DIED:
            raise WorkerDiedError(content)
        return JobOutcome.from_dict(content)

    def stop(self) -> None:
        """End the actor at once, from any thread."""
        self._stopped = True
        self.close()

    def close(self) -> None:
        """End the actor; its process ends with it."""
        actor, self._actor = self._actor, None
        if actor is not None:
            self._ray.kill(actor)


def ray_workers(
    config: BatchConfig,
    ledger: Ledger,
    jobs: int,
    command: Callable[[str, int], tuple[str, ...]] = worker_command,
) -> Sequence[Worker]:
    """Workers on the cluster of ``config.ray``; as many as its cores or GPUs allow, unless ``config`` says how many.

    Args:
        jobs: that are to be done. command: the program of a worker, from its device and its number of threads.

    Raises:
        MissingExtraError: Ray is not installed. LimpetError: there is no such cluster.
    """
    try:
        with without_telemetry():
            import ray
            from ray import is_initialized  # noqa: F401  a folder of that name would be taken for a package
    except ImportError as error:
        raise MissingExtraError("a batch on a Ray cluster", "ray", "ray") from error
    join_cluster(ray, config.ray or LOCAL)
    device, count = plan_workers(config, ray.cluster_resources(), jobs)
    cpus, gpus = max(1, config.threads), int(device.startswith("cuda"))
    remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0)(WorkerHost)

    def placing(number: int) -> Callable[[], Any]:
        launch = Launch(
            command(device, config.threads),
            config.threads,
            (ledger.logs / f"worker-{number}.log").absolute(),
            config.time_limit,
            config.memory_limit,
        )
        return lambda: remote.remote(launch)

    return [RayWorker(ray, placing(number)) for number in range(count)]


def join_cluster(ray: Any, address: str) -> None:
    """Connect to a cluster, unless this process is connected already. Raises LimpetError."""
    if ray.is_initialized():
        return
    local = {"include_dashboard": False, "object_store_memory": _LOCAL_STORE} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
    except Exception as error:  # Ray raises plain exceptions where its processes do not start
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if address == LOCAL:
            raise LimpetError(f"Ray does not start here: {reason}") from error
        raise LimpetError(
            f"there is no Ray cluster at {address!r} ({reason}); start one with: ray start --head"
        ) from error


def plan_workers(config: BatchConfig, resources: dict[str, float], jobs: int) -> tuple[str, int]:
    """The device of the workers, and how many there are: one per GPU, or one per group of cores."""
    gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    on_gpus = config.device.startswith("cuda") or (config.device == "auto" and gpus > 0)
    fitting = gpus if on_gpus else cores // max(1, config.threads)
    # Ray shows an actor the one GPU that it gave to it.
    return "cuda" if on_gpus else "cpu", max(1, min(config.workers or fitting, jobs))
