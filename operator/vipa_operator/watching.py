"""kopf, reduced to what it is good at: watching. Nothing of it is kept on the objects: no finalizer that could wedge a
deletion while the operator is away, no annotation, no Event of its own."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import kopf

from vipa.errors import ConfigError
from vipa_operator.errors import WatchError
from vipa_operator.reconcile.cluster import Kind

Took = Callable[[Kind, str | None, Mapping[str, Any]], None]
"""Called with the kind, the watch event's type (None: from a list) and the object."""

SILENCE_S: Final = 75.0
"""The API server sends a bookmark about every minute (k8s.io/apiserver, cacher): a watch that says nothing for longer
is dead, however alive its connection looks."""
STREAM_S: Final = 300
"""Watches end after this and are begun anew where they were: so they spread over the API servers again."""
NEVER_ENDING: Final = (0.5, 1.0, *([2.0] * 43_200))
"""Waits between tries while the API server is away: a day of them, then the Pod starts anew. Short, for status is to be
true again within 5 s of its return."""
TURN: Final = 100
"""Objects taken in before the loop gets its other work done: about 10 ms."""
LOOK_S: Final = 1.0
"""How often is looked whether kopf still watches everything."""
STOP_S: Final = 5.0
"""Longest wait for kopf to close its connections; the process ends anyway."""
IDENTITY: Final[Any] = "vipa-operator"
"""For kopf's peering, which is off. Without it kopf asks for the user's name, and the container's user 65532 has none.
Its type has no public name."""

RESOURCES: Final = (
    (Kind.VIP, "vipa.dev", "v1alpha1", "virtualips"),
    (Kind.LIST, "vipa.dev", "v1alpha1", "preferredinterfacelists"),
    (Kind.POOL, "vipa.dev", "v1alpha1", "virtualippools"),
    (Kind.AGENT, "vipa.dev", "v1alpha1", "virtualipnodes"),
    (Kind.NODE, "", "v1", "nodes"),
)


class Watching:
    """kopf on a loop and thread of its own: when it stops it cancels every task of its loop, and handling a list of
    thousands keeps that loop busy while a lease has to be renewed. ``took`` is called on the loop that called
    :meth:`start`."""

    def __init__(self, login: Callable[[], kopf.ConnectionInfo], took: Took) -> None:
        self._stop = threading.Event()
        self._registry = _registry(login, self._saw, self._look_after, self._stop)
        self._took = took
        self._inbox: deque[tuple[Kind, str | None, Mapping[str, Any]]] = deque()
        self._draining = False
        self._ended = asyncio.Event()
        self._error: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    async def ended(self) -> None:
        """Waits until watching ended by itself, which is an error: raises WatchError."""
        await self._ended.wait()
        raise WatchError(f"watching ended: {self._error or 'by itself'}")

    async def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, STOP_S)

    def _run(self) -> None:
        try:
            kopf.run(
                registry=self._registry,
                settings=_settings(),
                clusterwide=True,
                standalone=True,
                identity=IDENTITY,
                stop_flag=self._stop,
            )
        except BaseException as error:
            self._error = error
        if not self._stop.is_set():
            self._loop.call_soon_threadsafe(self._ended.set)

    async def _look_after(self) -> None:
        """On kopf's loop. A watch that meets what kopf does not expect (404 when somebody deletes a CRD, an error in
        the stream other than 410) ends for ever, and kopf runs on without it: deaf for that kind, and silent about it.
        """
        seen: set[str] = set()
        while True:
            await asyncio.sleep(LOOK_S)
            names = [task.get_name() for task in asyncio.all_tasks()]
            now = {p for *_, p in RESOURCES if any(name.startswith(f"watcher for {p}.") for name in names)}
            if lost := seen - now:
                self._error = WatchError(f"no watch of {', '.join(sorted(lost))} any more")
                self._loop.call_soon_threadsafe(self._ended.set)
                return
            seen |= now

    def _saw(self, kind: Kind, event: str | None, raw: Mapping[str, Any]) -> None:
        """On kopf's thread."""
        self._inbox.append((kind, event, raw))
        if not self._draining:
            self._draining = True
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._draining = False
        for _ in range(min(len(self._inbox), TURN)):
            self._took(*self._inbox.popleft())
        if self._inbox:
            self._loop.call_soon(self._drain)


def _registry(
    login: Callable[[], kopf.ConnectionInfo],
    saw: Took,
    look_after: Callable[[], Coroutine[Any, Any, None]],
    stop: threading.Event,
) -> kopf.OperatorRegistry:
    """Handlers for all that is watched."""
    handlers = kopf.OperatorRegistry()

    async def log_in(**_: object) -> kopf.ConnectionInfo:
        try:
            return login()
        except ConfigError as error:
            raise kopf.TemporaryError(str(error), delay=1.0) from error

    main: set[asyncio.Task[Any]] = set()
    tasks = set()  # a task that nobody holds may be collected

    async def start(**_: object) -> None:
        main.update(asyncio.all_tasks())
        tasks.add(asyncio.create_task(look_after(), name="looks after the watches"))

    async def clean_up(**_: object) -> None:
        # Ours never ends by itself, nor do kopf's tries to learn what there is while the API server is away: it would
        # wait 5 s for them, and then cancel them. Nothing that is under way here is worth that. Where kopf stops
        # because a watch failed, ours has to live until it told: kopf then waits for ever for the stop flag's thread.
        if stop.is_set():
            for task in asyncio.all_tasks() - main - {asyncio.current_task()}:
                task.cancel()

    kopf.on.login(registry=handlers)(log_in)
    kopf.on.startup(registry=handlers)(start)
    kopf.on.cleanup(registry=handlers)(clean_up)
    for kind, group, version, plural in RESOURCES:
        kopf.on.event(group, version, plural, id=plural, registry=handlers)(_handler(kind, saw))
    return handlers


def _settings() -> kopf.OperatorSettings:
    """kopf's, with everything off that would write."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True  # else it would need to see all CRDs and namespaces of the cluster
    chosen.persistence.progress_storage = _NoProgress()
    chosen.persistence.diffbase_storage = _NoDiffbase()
    chosen.watching.server_timeout = STREAM_S
    chosen.watching.inactivity_timeout = SILENCE_S
    chosen.watching.reconnect_backoff = 1.0
    chosen.networking.error_backoffs = NEVER_ENDING
    chosen.networking.request_timeout = 60.0
    chosen.queueing.idle_timeout = 1.0
    chosen.queueing.exit_timeout = 0.5
    return chosen


class _NoProgress(kopf.ProgressStorage):
    """Our handlers have no progress to remember: level-triggered."""

    def fetch(self, *, key: object, body: object) -> None:
        """Nothing is known."""

    def store(self, *, key: object, record: object, body: object, patch: object) -> None:
        """Nothing is kept."""

    def purge(self, *, key: object, body: object, patch: object) -> None:
        """Nothing is kept."""

    def touch(self, *, body: object, patch: object, value: object) -> None:
        """Nothing is kept."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Nothing of ours is in it."""
        return essence


class _NoDiffbase(kopf.DiffBaseStorage):
    """Nor what an object looked like before. kopf would copy each object for it."""

    def build(self, *, body: object, extra_fields: object = None) -> kopf.BodyEssence:
        """Nothing to compare."""
        return kopf.BodyEssence()

    def fetch(self, *, body: object) -> None:
        """Nothing is known."""

    def store(self, *, body: object, patch: object, essence: object) -> None:
        """Nothing is kept."""


def _handler(kind: Kind, saw: Took) -> Callable[..., Any]:
    async def handle(event: Mapping[str, Any], **_: object) -> None:
        saw(kind, event["type"], event["object"])

    return handle
