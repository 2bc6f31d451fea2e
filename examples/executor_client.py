#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""100 trajectories through an agent's tool-executor routes; the agent's default_job gives each a slot of its own.

    BERTH_ADDR=http://127.0.0.1:8780 BERTH_TOKEN=... ./executor_client.py      needs nothing but Python"""
import concurrent.futures
import json
import os
import sys
import urllib.request

ADDRESS = os.environ.get("BERTH_ADDR", "http://127.0.0.1:8780")
HEADERS = {"Content-Type": "application/json"}
if "BERTH_TOKEN" in os.environ:
    HEADERS["Authorization"] = "Bearer " + os.environ["BERTH_TOKEN"]


def post(path, /, **body):
    request = urllib.request.Request(ADDRESS + path, json.dumps(body).encode(), HEADERS)
    with urllib.request.urlopen(request, timeout=900) as answer:
        return json.load(answer)


def run(name):
    def call(tool, **arguments):
        return post("/execute", trajectory_id=name, tool={"name": tool, "arguments": arguments, "uniq_id": name}, timeout_s=600)

    try:
        call("write_file", path="notes/draft.txt", content=f"draft of {name}\n")
        edited = call("terminal", command="sed -i s/draft/text/ notes/draft.txt && wc -w < notes/draft.txt")
        artifact = post("/artifacts/read", trajectory_id=name, path="notes/draft.txt")
        return edited["output"] == "3" and artifact["content"] == f"text of {name}\n"
    finally:
        post("/release", trajectory_id=name)


with concurrent.futures.ThreadPoolExecutor(32) as pool:
    done = list(pool.map(run, (f"trajectory-{number}" for number in range(100))))
print(f"{sum(done)} of {len(done)} trajectories succeeded")
sys.exit(not all(done))
