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
import uuid

from engine import Delegation, EngineError
from harness import START_LIMIT, Slotd, config_bytes, program
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
        self.pid = self.state()["Pid"]
        self.returncode = None

    def state(self):
        return self.engine.inspect(self.container)["State"]

    def poll(self):
        if self.returncode is None:
            state = self.state()
            self.returncode = None if state["Running"] else state["ExitCode"]
        return self.returncode

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


class Network:
    """A container that does nothing but keep a network of its own, which servers may share; `pid`: a process in it."""

    def __init__(self, contained):
        self.engine = contained.engine
        self.container = self.engine.create(f"berth-contract-network-{uuid.uuid4().hex[:8]}", {
            "Image": contained.image, "Cmd": ["sleep", "infinity"], "HostConfig": {"NetworkMode": "none"}})
        self.engine.start_container(self.container)
        self.pid = self.engine.inspect(self.container)["State"]["Pid"]

    def close(self):
        self.engine.remove(self.container)


class ContainedSlotd(Slotd):
    """`image` and `host_config` beside what Slotd takes; `groups`: a delegated group for the slots, bound where the driver binds
    it or at the place that is named. Its data lies on this machine, where tests look at it, unless `data_dir` is a text: a
    place inside. It listens on a unix socket, whose folder is this machine's, or on `listen` and `port` of the container's own
    network, which a relay leads to; `beside`: what has a `container` whose network it shares."""

    engine = None  # these two are set once by the session's fixture
    image = None
    defaults = {}  # of the configuration
    grouped = False  # whether `groups` is meant where it is not said

    def __init__(self, user=0, slots=4, config=None, arguments=(), listen=None, port=0, data_dir=None, env=None, pass_fds=(),
                 address_flag="--listen", token=None, beside=None, image=None, host_config=None, groups=None, run_dir="/.berth/run"):
        assert user == 0 and not pass_fds
        self.user = user
        self.container = None
        self.relay = None
        self._make_folders(data_dir)
        groups = self.grouped if groups is None else groups
        self.delegation = Delegation(self.folder.name) if groups else None
        self.group_place = groups if isinstance(groups, str) else "/sys/fs/cgroup"
        self.has_port = listen is not None and not listen.startswith("unix:")
        address = [listen, "--port", str(port)] if self.has_port else [listen or f"unix:{run_dir}/sock"]
        self.listen = listen or f"unix:{self.folder}/run/sock"
        command = [address_flag, *address, "--data-dir", str(self.data_dir), "--slots", str(slots), "--ready-file",
                   f"{run_dir}/ready.json", *arguments]
        files = {"slotd": (program().read_bytes(), 0o755)}
        if "--config" not in arguments:
            command += ["--config", "/.berth/config.json"]
            files["config.json"] = (config_bytes(self._whole(config)), 0o600)
        if token is not None:
            command += ["--token-file", "/.berth/token"]
            files["token"] = (token.encode(), 0o600)
        host = {**self._host(run_dir, f"container:{beside.container}" if beside else "none"), **(host_config or {})}
        try:
            self._launch(image or self.image, command, host, files, env)
        except BaseException:
            self.kill()
            raise

    def _make_folders(self, data_dir):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-contract-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data_dir = self.folder / "data" if data_dir is None else data_dir
        if isinstance(self.data_dir, pathlib.Path):
            self.data_dir.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "run").mkdir(mode=0o700)

    def _whole(self, config):
        if isinstance(config, (str, bytes)):
            return config
        return {"id": self.folder.name.replace("_", "-").lower(), "root": "container", **self.defaults, **(config or {})}

    def _host(self, run_dir, network):
        binds = [f"{self.folder}/run:{run_dir}", f"{self.folder}:{self.folder}"]
        if not self.has_port and not self.listen.startswith(f"unix:{self.folder}/"):
            place = os.path.dirname(self.listen[len("unix:"):])
            binds.append(f"{place}:{place}")
        grouped = {}
        if self.delegation:
            binds += self.delegation.binds(self.group_place)
            grouped = {"CgroupParent": self.delegation.parent}
        return {"NetworkMode": network, "Binds": binds, **grouped, **security(self.engine)}

    def _launch(self, image, command, host, files, env):
        self.container = self.engine.create(self.folder.name, {
            "Image": image, "Entrypoint": ["/.berth/slotd"], "Cmd": command, "User": "0:0", "WorkingDir": "/",
            "Healthcheck": {"Test": ["NONE"]}, "Volumes": {"/.berth": {}}, "Env": [f"{k}={v}" for k, v in (env or {}).items()],
            "HostConfig": host})
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
        self.wire = Wire(self.tcp_port() if self.has_port else self.listen[len("unix:"):])
        end = time.monotonic() + START_LIMIT
        while not self.all_rooms_stand():
            assert time.monotonic() < end, f"not every slot has its room\n{self.log()}"
            time.sleep(0.02)
        return self

    def tcp_port(self):
        """A port of this machine that leads to it."""
        if not self.relay:
            inside = to_loopback_of(self.process.pid, self.ready["port"]) if self.has_port else to_unix(self.listen[len("unix:"):])
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
