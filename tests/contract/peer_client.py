# SPDX-License-Identifier: Apache-2.0
"""A client as others have written it for slot servers before ours: it imitates section 4 of the slot protocol, habits and
gaps included (the status is not looked at, three tries with one id, batches tried once, no margin), on http.client alone."""
import concurrent.futures
import dataclasses
import http.client
import json
import time
import urllib.parse
import uuid

JSON_TYPE = "application/json"
CONNECTION_FAILURES = (ConnectionError, http.client.HTTPException)


class WrongMediaType(Exception):
    pass


@dataclasses.dataclass
class PeerSlot:
    slot_id: str
    container_addr: str  # "http://IP:PORT"
    state: str = "available"


@dataclasses.dataclass
class PeerResult:
    success: bool
    output: str = ""
    error: str = ""
    execution_id: str = ""
    slot_id: str = ""
    metadata: dict = dataclasses.field(default_factory=dict)


class PeerExecutor:
    def __init__(self, timeout=30.0, max_retries=3, retry_delay=1.0):
        self.timeout = timeout
        self.max_retries = max_retries
        self.retry_delay = retry_delay

    def exchange(self, method, address, path, body=None, limit=None):
        """(status, JSON value)."""
        place = urllib.parse.urlsplit(address)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=limit or self.timeout)
        try:
            text = None if body is None else json.dumps(body).encode()
            connection.request(method, path, text, {"Content-Type": JSON_TYPE} if text else {})
            response = connection.getresponse()
            media = response.getheader("Content-Type", "").partition(";")[0].strip()
            content = response.read()
            if media != JSON_TYPE:
                raise WrongMediaType(f"unexpected mimetype: {media}")
            return response.status, json.loads(content)
        finally:
            connection.close()

    def execute(self, slot, tool, args, timeout=None):
        name = str(uuid.uuid4())
        wire_timeout = timeout or 30.0
        body = {"slot_id": slot.slot_id, "tool": tool, "args": args, "execution_id": name, "timeout": wire_timeout}
        if slot.state == "acquired":
            slot.state = "executing"
        try:
            return self.try_to_execute(slot, body, name, wire_timeout)
        finally:
            if slot.state == "executing":
                slot.state = "acquired"

    def try_to_execute(self, slot, body, name, wire_timeout):
        text = ""
        for attempt in range(self.max_retries):
            try:
                _, answer = self.exchange("POST", slot.container_addr, "/execute", body)
                return self.result(answer, name, slot.slot_id)
            except TimeoutError:
                text = f"Request timed out after {wire_timeout}s"
                break
            except (*CONNECTION_FAILURES, WrongMediaType) as problem:
                text = str(problem)
                if attempt + 1 < self.max_retries:
                    time.sleep(self.retry_delay * (attempt + 1))
            except Exception as problem:  # pylint: disable=broad-except
                text = str(problem)
                break
        return PeerResult(False, error=f"Failed after 3 attempts: {text}", execution_id=name, slot_id=slot.slot_id)

    @staticmethod
    def result(answer, name, slot_id):
        return PeerResult(answer.get("success", False), answer.get("output", ""), answer.get("error", ""),
                          answer.get("execution_id", name), slot_id, answer.get("metadata", {}))

    def execute_batch(self, requests, timeout=None):
        groups = {}
        for place, request in enumerate(requests):
            groups.setdefault(request[0].container_addr, []).append((place, request))
        results = [None] * len(requests)
        if not groups:
            return results
        with concurrent.futures.ThreadPoolExecutor(len(groups)) as pool:
            done = [pool.submit(self.execute_group, address, group, timeout or 30.0) for address, group in groups.items()]
            for group in done:
                for place, result in group.result():
                    results[place] = result
        return results

    def execute_group(self, address, group, wire_timeout):
        names = [str(uuid.uuid4()) for _ in group]
        body = [{"slot_id": slot.slot_id, "tool": tool, "args": args, "execution_id": name, "timeout": wire_timeout}
                for name, (_, (slot, tool, args)) in zip(names, group)]
        answer, text = None, ""
        try:
            _, answer = self.exchange("POST", address, "/batch", body)
            if not isinstance(answer, list):
                answer, text = None, f"Expected list response, got {type(answer)}"
        except Exception as problem:  # pylint: disable=broad-except
            text = "" if isinstance(problem, TimeoutError) else str(problem)
        for index, (place, (slot, _, _)) in enumerate(group):
            if answer is None:
                yield place, PeerResult(False, error=text, execution_id=names[index], slot_id=slot.slot_id)
            elif index >= len(answer):
                yield place, PeerResult(False, error="Missing result in batch response", execution_id=names[index],
                                        slot_id=slot.slot_id)
            else:
                yield place, self.result(answer[index], names[index], slot.slot_id)

    def reset_slot(self, slot):
        try:
            _, answer = self.exchange("POST", slot.container_addr, "/reset", {"slot_id": slot.slot_id})
            return PeerResult(answer.get("success", False), answer.get("output", ""), answer.get("error", ""),
                              slot_id=slot.slot_id)
        except Exception as problem:  # pylint: disable=broad-except
            return PeerResult(False, error=str(problem), slot_id=slot.slot_id)

    def get_container_status(self, address):
        try:
            _, answer = self.exchange("GET", address, "/health")
            return answer if isinstance(answer, dict) else None
        except Exception:  # pylint: disable=broad-except
            return None

    def health_check(self, address):
        status = self.get_container_status(address)
        return status is not None and status.get("status") == "ok"

    def artifact(self, slot, route, body):
        try:
            status, answer = self.exchange("POST", slot.container_addr, f"/artifacts/{route}",
                                           {"slot_id": slot.slot_id, **body})
        except Exception as problem:  # pylint: disable=broad-except
            return {"success": False, "error": str(problem)}
        if not isinstance(answer, dict):
            return {"success": False, "error": f"Unexpected response type: {type(answer)}", "http_status": status}
        answer.setdefault("http_status", status)
        return answer

    def read_artifact(self, slot, path, encoding="text", include_sha256=False, **limits):
        return self.artifact(slot, "read", {"path": path, "encoding": encoding, "include_sha256": include_sha256, **limits})

    def list_artifacts(self, slot, path=".", recursive=False, **limits):
        return self.artifact(slot, "list", {"path": path, "recursive": recursive, **limits})

    def archive_artifacts(self, slot, path=".", archive_format="tar.gz", **limits):
        return self.artifact(slot, "archive", {"path": path, "format": archive_format, **limits})
