# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seed is a whole run of the daemon against faults: the same seed is the same run.

`python -m podplacement_scheduler.testing.sim SEED` runs one again and tells what happened in it.
The daemon is the real one, all of it but connections, threads and signals. Replicas are frozen,
killed and told to end; the network loses, delays and refuses; watches break in every way. Then all
is well, and within a bounded time every pod that has room somewhere must be bound.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sys
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ..api.client import Client
from ..api.kinds import EVENTS, NODES, PODS
from ..app import KINDS, Daemon, LeadershipLost, Surroundings
from ..config import Configuration, parse
from ..engine.entry import Place
from ..framework.guard import Guard
from ..observe.metrics import Metrics
from .churn import Churn, Kubelets
from .doorman import Doorman
from .fake import FakeServer, selector, target
from .faults import Faults, Severity
from .judge import Judge
from .loop import VirtualClock, VirtualLoop, process_context, run
from .wire import FakeTransport, Network

SCHEDULER = "own"
# From when all is well: half-open watches and the longest back-off. Not the flush of pods that wait
# for long, which would hide what was forgotten.
_SETTLES_WITHIN = 200.0
_POLL = 2.0
_MOST_TASKS = 500


class Violation(AssertionError):
    """What must hold did not; the message says how to run it again."""


@dataclass
class Report:
    """What happened in one run."""

    seed: int
    seconds: float = 0.0
    settled: float = 0.0
    writes: int = 0
    bound: int = 0
    replicas: int = 0
    digest: str = ""
    faults: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


class _Count(Metrics):
    """Also knows how many events were not written."""

    unwritten = 0

    def event(self, result: str, n: int = 1) -> None:
        super().event(result, n)
        if result != "written":
            self.unwritten += n


class Replica:
    """One process of the scheduler."""

    def __init__(self, config: Configuration, network: Network, name: str, seed: str) -> None:
        self.name = name
        self.stop = asyncio.Event()
        self.frozen = self.killed = False
        self.metrics = metrics = _Count()
        self.lost = False
        transport = FakeTransport(network, name)
        hot = FakeTransport(network, name, gate=self._may_write)
        self.daemon = Daemon(
            config,
            Surroundings(
                client=Client(transport, hot),
                clock=network.server.clock,
                rng=Random(f"{seed}/{name}"),
                metrics=metrics,
                guard=Guard(budget=1.0, max_overruns=10, metrics=metrics),
                user_plugins={Doorman.name: Doorman},
                host=name,
            ),
        )
        loop = asyncio.get_running_loop()
        self.task = loop.create_task(self._run(), context=process_context(name))

    def _may_write(self) -> bool:
        return self.daemon.may_write()

    async def _run(self) -> None:
        try:
            await self.daemon.run(self.stop)
        except LeadershipLost:
            self.lost = True

    def doormen(self) -> list[Doorman]:
        """The plugin, if it has it."""
        plugins = (profile.plugins.get(Doorman.name) for profile in self.daemon.profiles.values())
        return [plugin for plugin in plugins if isinstance(plugin, Doorman)]

    def faults(self) -> list[str]:
        """What is wrong inside of it."""
        wrong = [f"{self.name}: queue: {what}" for what in self.daemon.queue.check()]
        places = {entry.pod.uid: entry.place for entry in self.daemon.queue}
        for uid in self.daemon.cluster.assumed():
            if places.get(uid, Place.IN_FLIGHT) is not Place.IN_FLIGHT:
                wrong.append(f"{self.name}: {uid} has a place on a node and is {places[uid].value}")
        if self.daemon.recorder.outbox.backlog > 1:
            wrong.append(f"{self.name}: too many events wait")
        if self.task.done() and not self.task.cancelled() and self.task.exception() is not None:
            wrong.append(f"{self.name} ended with {self.task.exception()!r}")
        return wrong


class Simulation:
    """One seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = Random(f"{seed}/plan")
        self.report = Report(seed)
        self.replicas: list[Replica] = []
        self._graveyard: list[Replica] = []

    async def run(self) -> Report:
        """The whole run; violations are in the report."""
        rng, loop = self.rng, asyncio.get_running_loop()
        self.loop = loop
        clock = VirtualClock()
        server = FakeServer(clock, Random(f"{self.seed}/server"), streams=rng.random() < 0.7)
        self.network = Network(server, Random(f"{self.seed}/network"))
        self.judge = Judge(self.network, scheduler=SCHEDULER)
        kubelets = Kubelets(server, Random(f"{self.seed}/kubelets"))
        churn = Churn(
            server,
            Random(f"{self.seed}/churn"),
            scheduler=SCHEDULER,
            busy=rng.choice((0.2, 0.5, 1.5)),
        )
        faults = Faults(self.network, Random(f"{self.seed}/faults"), self._severity())
        self.config = self._configuration()
        self.wanted = 2 if self.config.leader_election.leader_elect else 1
        churn.begin()
        tasks = [loop.create_task(churn.run()), loop.create_task(self._operate())]
        tasks += faults.start()
        await self._watch(until=loop.time() + rng.choice((15.0, 30.0, 60.0)))
        for task in tasks:
            task.cancel()
        faults.stop()
        await self._settle()
        kubelets.stop()
        await self._end()
        self.report.digest = self._digest()
        self.report.faults = faults.happened
        self.report.writes = server.store.revision
        self.report.bound = len(self.judge.bound)
        self.report.seconds = loop.time()
        return self.report

    def _severity(self) -> Severity:
        scale = self.rng.choice((0.0, 0.3, 1.0, 3.0))
        return Severity().scaled(scale)

    def _configuration(self) -> Configuration:
        rng = self.rng
        profile: dict[str, Any] = {"schedulerName": SCHEDULER}
        if rng.random() < 0.4:
            profile["plugins"] = {"multiPoint": {"enabled": [{"name": Doorman.name}]}}
        return parse(
            {
                "profiles": [profile],
                "leaderElection": {"leaderElect": rng.random() < 0.6},
                "parallelBinds": rng.choice((1, 4, 32)),
                "consistencyInterval": rng.choice(("0s", "30s")),
            }
        )

    # Replicas

    async def _operate(self) -> None:
        """Keep as many replicas as wanted, and now and then hurt one."""
        self._keep_up()
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / 15))
            self._keep_up()
            victim = self.rng.choice(self.replicas)
            what = self.rng.choice(("freeze", "kill", "terminate", "terminate"))
            if self.wanted == 1 and what == "freeze":
                continue
            if self.rng.random() < 0.5:
                self._delay(victim)
                await asyncio.sleep(self.rng.uniform(0.0, 5.0))
            if what == "freeze" and not victim.frozen:
                self._freeze(victim, self.rng.uniform(1.0, 40.0))
            elif what == "kill":
                self._kill(victim)
            elif what == "terminate":
                victim.stop.set()

    def _delay(self, victim: Replica) -> None:
        """What the others hear is late just when one of them has to take over."""
        for process, watch in self.network.watches:
            if process != victim.name and watch.is_open:
                watch.hold()
                self.loop.call_later(self.rng.uniform(5.0, 30.0), watch.release)

    def _keep_up(self) -> None:
        for replica in list(self.replicas):
            if replica.task.done():
                self.replicas.remove(replica)
                self._inspect(replica)
        while len(self.replicas) < self.wanted:
            self.report.replicas += 1
            name = f"replica-{self.report.replicas}"
            self.replicas.append(Replica(self.config, self.network, name, str(self.seed)))

    def _freeze(self, replica: Replica, seconds: float) -> None:
        replica.frozen = True
        self._virtual.freeze(replica.name)
        asyncio.get_running_loop().call_later(seconds, self._thaw, replica)

    def _thaw(self, replica: Replica) -> None:
        if not replica.killed and replica.frozen:
            replica.frozen = False
            self._virtual.thaw(replica.name)

    def _kill(self, replica: Replica) -> None:
        """As kill -9: it never runs again, and its connections are closed."""
        replica.killed = True
        self._virtual.freeze(replica.name)
        self.replicas.remove(replica)
        self._graveyard.append(replica)
        for process, watch in self.network.watches:
            if process == replica.name:
                watch.close()

    @property
    def _virtual(self) -> VirtualLoop:
        if not isinstance(self.loop, VirtualLoop):
            raise TypeError("a simulation runs on a VirtualLoop")
        return self.loop

    # Looking

    def _inspect(self, replica: Replica) -> None:
        for wrong in replica.faults():
            self.report.violations.append(f"at {self.loop.time():.3f} s: {wrong}")

    async def _watch(self, *, until: float) -> None:
        while self.loop.time() < until and not self._is_wrong():
            await asyncio.sleep(_POLL)
            for replica in self.replicas:
                self._inspect(replica)
            if len(asyncio.all_tasks()) > _MOST_TASKS:
                self.report.violations.append(f"{len(asyncio.all_tasks())} tasks at a time")

    def _is_wrong(self) -> bool:
        self.report.violations += self.judge.violations
        self.judge.violations.clear()
        return bool(self.report.violations)

    async def _settle(self) -> None:
        """Nothing changes any more but by the scheduler: all that can be placed is placed."""
        for replica in self.replicas:
            self._thaw(replica)
        begun = self.loop.time()
        while not self._is_wrong():
            self._keep_up()
            await self._watch(until=self.loop.time() + _POLL)
            open_questions = self._open_questions()
            self.report.settled = self.loop.time() - begun
            if not open_questions:
                return
            if self.report.settled > _SETTLES_WITHIN:
                self.report.violations += open_questions

    def _open_questions(self) -> list[str]:
        """What is not yet as it will be."""
        leaders = [one for one in self.replicas if one.daemon.leading]
        if len(leaders) != 1:
            return [f"{len(leaders)} replicas lead"]
        leader = leaders[0].daemon
        if leader.cluster.assumed():
            return [f"unconfirmed: {sorted(leader.cluster.assumed())}"]
        found = [what for doorman in leaders[0].doormen() for what in doorman.wrong()]
        store = self.network.server.store
        for kind, fields in KINDS.items():
            fits = selector(target(f"{kind.path()}?fieldSelector={fields}"))
            actual = {
                one["metadata"]["uid"]: one["metadata"]["resourceVersion"]
                for one in store.all(kind.plural)
                if fits(one)
            }
            if dict(leader.cluster.fingerprint(kind)) != actual:
                found.append(f"{kind.plural} are not as the leader believes")
        return found or [f"pod {name} waits and would fit" for name in self.judge.placeable()]

    def _digest(self) -> str:
        """Of all that was written, but Leases: these name their holder, who is never the same."""
        found = hashlib.sha256()
        for kind in (NODES, PODS, EVENTS):
            for change in self.network.server.store.since(kind.plural, 0):
                found.update(change.raw)
        return found.hexdigest()

    async def _end(self) -> None:
        """Told to stop, all replicas do; the dead ones only get their bodies removed."""
        for replica in self.replicas:
            replica.stop.set()
        async with asyncio.timeout(60):
            await asyncio.wait([replica.task for replica in self.replicas])
        for replica in self.replicas:
            self._inspect(replica)
            untold = self.judge.untold(replica.name)
            if not replica.lost and len(untold) > replica.metrics.unwritten:
                self.report.violations.append(f"{replica.name} has no events for {untold}")
        for replica in self._graveyard:
            replica.task.cancel()
            self._virtual.thaw(replica.name)
        if self._graveyard:
            await asyncio.wait([replica.task for replica in self._graveyard])
        for context in self._virtual.errors:
            self.report.violations.append(f"nobody caught {context}")
        self._virtual.errors.clear()


class _Errors(logging.Handler):
    """An error in the log is a violation: the daemon itself says that something was wrong."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.ERROR)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        if "not as believed" not in record.getMessage():  # a watch that is late is no fault
            self._report.violations.append(f"in the log: {self.format(record)}")


def simulate(seed: int) -> Report:
    """Run one seed; raises Violation."""
    simulation = Simulation(seed)
    handler = _Errors(simulation.report)
    log = logging.getLogger("podplacement_scheduler")
    log.addHandler(handler)
    try:
        report = run(simulation.run())
    finally:
        log.removeHandler(handler)
    if report.violations:
        told = "\n  ".join(dict.fromkeys(report.violations))
        again = f"python -m podplacement_scheduler.testing.sim {seed}"
        raise Violation(f"seed {seed}:\n  {told}\nrun it again: {again}\n{report.faults}")
    return report


def main() -> None:
    """Run the seeds that are named, with the daemon's log."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s %(message)s")
    for seed in map(int, sys.argv[1:]):
        print(simulate(seed))


if __name__ == "__main__":
    main()
