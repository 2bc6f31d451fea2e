# SPDX-License-Identifier: Apache-2.0
"""A slot server as the first process of a container, started as the docker driver starts it, with the face of the contract
suite's harness."""
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

from engine import Delegation, EngineError
from harness import START_LIMIT, Slotd, program
from relay import Relay, to_loopback_of, to_unix
from wire import Wire

PROFILE = pathlib.Path(os.environ["BERTH_SOURCE_DIR"]) / "drivers/docker/seccomp.json"


def tar_of(files):
    """{name: (bytes, mode)} as a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def security(engine):
    """What the shipped profile asks of an engine."""
    options = [f"seccomp={PROFILE.read_text()}"]
    if any("apparmor" in option for option in engine.info().get("SecurityOptions") or []):
        options.append("apparmor=unconfined")
    return {"SecurityOpt": options, "MaskedPaths": [], "ReadonlyPaths": []}


class ContainedProcess:
    """The container's first process, by the parts of subprocess.Popen that the harness uses."""

    def __init__(self, engine, container):
        self.engine = engine
        self.container = container
        self.pid = engine.inspect(container)["State"]["Pid"]

    def state(self):
        return self.engine.inspect(self.container)["State"]

    def poll(self):
        state = self.state()
        return None if state["Running"] else state["ExitCode"]

    def send_signal(self, number):
        try:
            self.engine.signal(self.container, number)
        except EngineError as error:
            if error.status != 409:  # not running any more
                raise

    def wait(self, timeout=None):
        end = time.monotonic() + (timeout or START_LIMIT)
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("container", timeout)
            time.sleep(0.05)
        return code

    def kill(self):
        self.send_signal(signal.SIGKILL)


class ContainedSlotd(Slotd):
    """`image` and `host_config` beside what Slotd takes; `groups`: a delegated group for the slots, bound where the driver binds
    it or at the place that is named. Its data lies on this
    machine, where tests look at it, unless `data_dir` is a text: a place inside. It listens on a unix socket, or on
    `listen` and `port` of the container's own network, which a relay leads to."""

    engine = None  # these two are set once by the session's fixture
    image = None
    defaults = {}  # of the configuration
    grouped = False  # whether `groups` is meant where it is not said

    def __init__(self, user=0, slots=4, config=None, arguments=(), listen=None, port=0, data_dir=None, env=None, pass_fds=(),
                 address_flag="--listen", image=None, host_config=None, groups=None, run_dir="/.berth/run"):
        assert user == 0 and not pass_fds
        self.user = user
        self.container = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-contract-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data_dir = self.folder / "data" if data_dir is None else data_dir
        if isinstance(self.data_dir, pathlib.Path):
            self.data_dir.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "run").mkdir(mode=0o700)
        groups = self.grouped if groups is None else groups
        self.delegation = Delegation(self.folder.name) if groups else None
        self.group_place = groups if isinstance(groups, str) else "/sys/fs/cgroup"
        if isinstance(config, str):
            text = config
        else:
            text = json.dumps({"id": self.folder.name.replace("_", "-").lower(), "root": "container", **self.defaults, **(config or {})})
        self.relay = None
        self.port = port if listen and not listen.startswith("unix:") else None
        where = [listen, "--port", str(port)] if self.port else [f"unix:{run_dir}/sock"]
        command = [address_flag, *where, "--data-dir", str(self.data_dir), "--slots", str(slots), "--config",
                   "/.berth/config.json", "--ready-file", f"{run_dir}/ready.json", *arguments]
        host = {"NetworkMode": "none", "Binds": [f"{self.folder}/run:{run_dir}", f"{self.folder}:{self.folder}",
                                                 *(self.delegation.binds(self.group_place) if self.delegation else ())],
                **security(self.engine), **(host_config or {})}
        if self.delegation:
            host["CgroupParent"] = self.delegation.parent
        self.listen = f"unix:{self.folder}/run/sock"
        try:
            self._launch(image or self.image, command, host, text, env)
        except BaseException:
            self.kill()
            raise

    def _launch(self, image, command, host, text, env):
        self.container = self.engine.create(self.folder.name, {
            "Image": image, "Entrypoint": ["/.berth/slotd"], "Cmd": command, "User": "0:0", "WorkingDir": "/",
            "Healthcheck": {"Test": ["NONE"]}, "Volumes": {"/.berth": {}}, "Env": [f"{k}={v}" for k, v in (env or {}).items()],
            "HostConfig": host})
        files = {"slotd": (program().read_bytes(), 0o755), "config.json": (text.encode(), 0o600)}
        self.engine.put_archive(self.container, "/.berth", tar_of(files))
        self.engine.start_container(self.container)
        self.process = ContainedProcess(self.engine, self.container)
        self.binary = pathlib.Path(f"/proc/{self.process.pid}/root/.berth/slotd")

    def ready_line(self):
        ready = self.folder / "run/ready.json"
        end = time.monotonic() + START_LIMIT
        while not ready.exists():
            ended = self.process.poll()
            assert ended is None or ready.exists(), f"the container ended with {ended}\n{self.log()}"
            assert time.monotonic() < end, f"no word from the server\n{self.log()}"
            time.sleep(0.02)
        return json.loads(ready.read_text())

    def connect(self):
        self.ready = self.ready_line()
        assert self.ready["ok"] is True, self.ready
        self.wire = Wire(self.listen[len("unix:"):] if self.port is None else self.tcp_port())
        end = time.monotonic() + START_LIMIT
        while not self.all_rooms_stand():
            assert time.monotonic() < end, f"not every slot has its room\n{self.log()}"
            time.sleep(0.02)
        return self

    def tcp_port(self):
        """A port of this machine that leads to it."""
        if not self.relay:
            inside = to_unix(self.listen[len("unix:"):]) if self.port is None else to_loopback_of(self.process.pid, self.port)
            self.relay = Relay(inside)
        return self.relay.port

    def log(self):
        return self.engine.logs(self.container)[-20_000:]

    def kill(self):
        if self.relay:
            self.relay.close()
        if self.container:
            self.engine.remove(self.container)
        if self.delegation:
            self.delegation.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
