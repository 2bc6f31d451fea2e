# SPDX-License-Identifier: Apache-2.0
"""Requests that schemathesis makes out of /openapi.json, sent to an agent with a live lease: no 5xx that is not described,
every answer as described. Part of ./test --deep; the argument is the schemathesis program."""
import os
import pathlib
import subprocess
import sys
import tempfile

from agent_harness import START_LIMIT, Agent, Lease, bearer, wait_until

JOB = "job: pool\nslots: 4\nisolation: best-effort\n"
LIMIT = 600
ENVIRONMENT = {**os.environ, "SCHEMATHESIS_HOOKS": "generated_hooks"}
# What a batch's element or a number of 5e-324 may be is ours to say, and its checks of data do not know 431.
NOT_OURS = "negative_data_rejection,positive_data_acceptance"


def arguments(program, agent, config):
    return [program, "--config-file", str(config), "run", f"http://127.0.0.1:{agent.port}/openapi.json",
            "--header", f"Authorization: {bearer('root')['Authorization']}", "--phases", "coverage,fuzzing", "--checks", "all",
            "--exclude-checks", NOT_OURS, "--max-examples", os.environ.get("BERTH_EXAMPLES", "100"), "--request-timeout", "30",
            # A stream without an end, and what would take the lease or the job away.
            "--exclude-path", "/v1/events", "--exclude-operation-id", "release", "--exclude-operation-id", "remove",
            "--exclude-operation-id", "renew", "--workers", "1", "--no-color"]


def main(program):
    agent = Agent(user=os.geteuid()).connect()
    try:
        agent.put_job(JOB)
        wait_until(lambda: agent.as_(None).get("/readyz").status == 200, START_LIMIT, "the pool is up")
        lease = Lease(agent, "root", ttl="1h")
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "schemathesis.toml"
            config.write_text(f'[parameters]\n"path.lease" = "{lease.id}"\n')
            done = subprocess.run(arguments(program, agent, config), cwd=folder, timeout=LIMIT, check=False, env=ENVIRONMENT)
        assert agent.process.poll() is None, "the agent did not live\n" + agent.log()
        assert lease.output("echo lives") == "lives"
        return done.returncode
    finally:
        agent.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
