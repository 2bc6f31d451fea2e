#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""100 trajectories through an agent's /v1, each with a slot of its own, their output told while they run.

    BERTH_ADDR=http://127.0.0.1:8780 BERTH_TOKEN=... ./trajectories.py [JOB]      needs nothing but Python"""
import concurrent.futures
import json
import os
import sys
import urllib.request

ADDRESS = os.environ.get("BERTH_ADDR", "http://127.0.0.1:8780")
JOB = sys.argv[1] if len(sys.argv) > 1 else "quickstart"
STEPS = ["echo draft of $BERTH_TRAJECTORY > draft; echo written", "sleep 0.05; wc -w < draft", "sed s/draft/text/ draft"]


def ask(method, path, body=None):
    request = urllib.request.Request(ADDRESS + path, method=method, data=None if body is None else json.dumps(body).encode())
    if "BERTH_TOKEN" in os.environ:
        request.add_header("Authorization", "Bearer " + os.environ["BERTH_TOKEN"])
    return urllib.request.urlopen(request, timeout=600)


def run(name):
    with ask("POST", "/v1/leases", {"job": JOB, "trajectory": name, "wait": "5m"}) as answer:
        lease = "/v1/leases/" + json.load(answer)["lease"]
    try:
        for number, command in enumerate(STEPS):
            call = {"tool": "bash", "args": {"command": command}, "execution_id": f"{name}-{number}"}
            with ask("POST", lease + "/executions?stream=1", call) as lines:
                for line in map(json.loads, lines):
                    if line["type"] == "output":
                        sys.stdout.write(f"{name} [{line['stream']}] {line.get('text', '').rstrip()}\n")
                    if line["type"] == "result" and not line["success"]:
                        return False
        return line["type"] == "end"  # a stream without it was cut
    finally:
        ask("DELETE", lease).close()


with concurrent.futures.ThreadPoolExecutor(32) as pool:
    done = list(pool.map(run, (f"trajectory-{number}" for number in range(100))))
print(f"{sum(done)} of {len(done)} trajectories succeeded")
sys.exit(not all(done))
