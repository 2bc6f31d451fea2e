# SPDX-License-Identifier: Apache-2.0
"""Kills and stops slot servers of one agent at random, and remembers which and when."""
import collections
import contextlib
import os
import pathlib
import random
import signal
import threading
import time

from harness import processes

LONGEST_STOP = 1.8  # seconds; slot servers that do not answer for longer are other tests' matter


def servers_of(agent):
    """{container: pid} of the slot servers that this agent has started and that live."""
    found = {}
    for pid, (parent, state, _) in processes().items():
        if parent != agent.process.pid or state == "Z":
            continue
        with contextlib.suppress(OSError):
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            sockets = [word.decode() for word in command if word.startswith(b"unix:") and word.endswith(b"/sock")]
            for path in sockets:
                found[pathlib.PurePosixPath(path).parent.name] = pid
    return found


class Killer(threading.Thread):
    """SIGKILL to one server after another, at random times, evenly over the jobs, until there were `most` kills. Between
    them some servers stand still for a while, so that their connections are given up and their calls asked for again."""

    def __init__(self, agent, seed, most, mean_gap):
        super().__init__(daemon=True)
        self.agent = agent
        self.dice = random.Random(f"{seed}-killer")
        self.most = most
        self.mean_gap = mean_gap
        self.over = threading.Event()
        self.killed = {}    # container -> when, on the clock of the calls
        self.stopped = collections.defaultdict(list)  # container -> [[from, until]]
        self.failure = None
        self.by_job = collections.Counter()

    def run(self):
        try:
            while len(self.killed) < self.most and not self.over.wait(self.dice.expovariate(1 / self.mean_gap)):
                self.strike(self.kill if self.dice.random() < 0.6 else self.stand_still)
        except Exception as error:  # the test asks for it at the end
            self.failure = error

    def strike(self, how):
        containers = self.agent.as_("eye").get("/v1/containers").json()["containers"]
        jobs = {each["container"]: each["job"] for each in containers}
        servers = {name: pid for name, pid in servers_of(self.agent).items() if name in jobs and name not in self.killed}
        if not servers:
            return
        fewest = min(self.by_job[jobs[name]] for name in servers)
        name = self.dice.choice(sorted(name for name in servers if self.by_job[jobs[name]] == fewest))
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(servers[name])
            try:
                if servers_of(self.agent).get(name) == servers[name]:
                    how(name, jobs[name], pidfd)
            finally:
                os.close(pidfd)

    def kill(self, name, job, pidfd):
        self.killed[name] = time.monotonic()
        self.by_job[job] += 1
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def stand_still(self, name, _, pidfd):
        period = [time.monotonic(), None]
        self.stopped[name].append(period)
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        try:
            self.over.wait(self.dice.uniform(0.1, LONGEST_STOP))
        finally:
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)
            period[1] = time.monotonic()

    def stood_still_since(self, name, when):
        return any(until is None or until > when for _, until in self.stopped[name])

    def end(self):
        self.over.set()
        self.join()
        if self.failure:
            raise self.failure
