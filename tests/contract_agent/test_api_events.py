# SPDX-License-Identifier: Apache-2.0
"""GET /v1/events: every change of state, numbered, resumed by id, with holes told."""
import json
import socket
import time

import pytest

from agent_harness import SECRETS, SIGHT, TOKENS, Lease, bearer, wait_until


class Stream:
    """Server-sent events as they come."""

    def __init__(self, agent, token="eye", query="", last=None):
        self.connection = agent.as_(token).connection(timeout=SIGHT)
        headers = {**bearer(token), **({"Last-Event-ID": last} if last else {})}
        self.connection.request("GET", "/v1/events" + query, headers=headers)
        self.reply = self.connection.getresponse()
        assert self.reply.status == 200, self.reply.read(500)
        assert self.reply.getheader("Content-Type") == "text/event-stream; charset=utf-8"
        self.start = self.next(any_kind=True)

    def next(self, any_kind=False):
        """The next event as {id, event, data}; None at the end of the stream."""
        found = {}
        end = time.monotonic() + SIGHT
        while line := self.reply.readline():
            assert time.monotonic() < end, "nothing but pings"
            line = line.decode().rstrip("\n")
            if line and not line.startswith(":"):
                key, _, value = line.partition(": ")
                found[key] = value
            if not line and found and (any_kind or "event" in found):
                return {**found, "data": json.loads(found["data"])} if "data" in found else found
            if not line:
                found = {}
        return None

    def until(self, wanted):
        """The events up to the first that is wanted."""
        seen = []
        while not seen or not wanted(seen[-1]):
            event = self.next()
            assert event is not None, seen
            seen.append(event)
        return seen

    def close(self):
        self.connection.close()


def ended(lease):
    return lambda event: event["event"] == "lease" and event["data"]["lease"] == lease.id and event["data"]["change"] == "ended"


def clean(lease):
    return lambda event: event["event"] == "slot" and event["data"]["to"] == "available" and event["data"]["slot"] == lease.facts["slot"]


def test_the_life_of_a_lease_is_told_in_order(agent):
    stream = Stream(agent)
    lease = Lease(agent, trajectory="told")
    # What came before is of who had the slot earlier.
    first = stream.until(lambda event: event["event"] == "slot" and event["data"].get("lease") == lease.id)[-1]
    lease.release()
    seen = [first, *stream.until(clean(lease))]
    mine = [event["data"] for event in seen if lease.id == event["data"].get("lease") and event["event"] == "lease"]
    assert [data["change"] for data in mine] == ["granted", "ended"]
    assert mine[0]["trajectory"] == "told" and mine[1]["why"] == "released"
    states = [event["data"]["to"] for event in seen if event["event"] == "slot" and event["data"]["slot"] == lease.facts["slot"]]
    assert states == ["acquired", "releasing", "available"]
    numbers = [int(event["id"].rpartition("-")[2]) for event in seen]
    assert numbers == sorted(set(numbers))
    stream.close()


def test_a_stream_goes_on_where_it_was_cut(agent):
    first = Stream(agent)
    one = Lease(agent)
    seen = first.until(lambda event: event["data"].get("lease") == one.id)
    first.close()
    one.release()
    second = Stream(agent, last=seen[-1]["id"])
    numbers = [int(event["id"].rpartition("-")[2]) for event in second.until(ended(one))]
    assert numbers[0] == int(seen[-1]["id"].rpartition("-")[2]) + 1
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    second.close()


def test_all_that_is_kept_can_be_read_without_following(agent):
    stream = Stream(agent, query="?follow=0")
    events = []
    while event := stream.next():
        events.append(event)
    assert events[0]["event"] == "job" and events[0]["data"] == {"job": "pool", "change": "applied"}
    again = Stream(agent, query=f"?follow=0&after={events[-1]['id']}")
    assert all(int(event["id"].rpartition("-")[2]) > int(events[-1]["id"].rpartition("-")[2]) for event in iter(again.next, None))


@pytest.mark.parametrize("last", ["0123456789ab-5", "nonsense", "-1", "9" * 40])
def test_an_id_of_another_life_is_told_as_a_hole(agent, last):
    stream = Stream(agent, query="?follow=0", last=last)
    assert stream.next()["event"] == "gap"
    assert stream.next()["event"] == "job"


def test_use_hears_of_its_own_leases_only(agent):
    stream = Stream(agent, "bob")
    theirs, mine = Lease(agent, "alice"), Lease(agent, "bob")
    theirs.release(), mine.release()
    seen = stream.until(ended(mine)) + stream.until(clean(mine))
    assert theirs.id not in json.dumps(seen)
    assert mine.id in json.dumps(seen)
    stream.close()


def test_a_stream_whose_token_was_taken_away_ends(start):
    agent = start()
    stream = Stream(agent, "bob")
    (agent.folder / "tokens").write_text(TOKENS.replace(SECRETS["bob"], "another-secret-of-bob-0123456789"))
    agent.signal(1)
    wait_until(lambda: agent.as_("bob").get("/v1/jobs").status == 403, SIGHT, "the tokens are read anew")
    agent.put_job("job: news\nslots: 1\nisolation: best-effort\n")
    while event := stream.next():
        assert event["event"] in ("job", "container", "slot")


def test_streams_that_were_left_are_forgotten(agent):
    def open_streams():
        text = agent.as_("eye").get("/metrics").body.decode()
        return next(line for line in text.splitlines() if line.startswith("berth_event_streams "))

    wait_until(lambda: open_streams() == "berth_event_streams 0", SIGHT, "those of other tests are gone")
    streams = [Stream(agent) for _ in range(3)]
    assert open_streams() == "berth_event_streams 3"
    for stream in streams:
        stream.connection.sock.shutdown(socket.SHUT_RDWR)
        stream.close()
    wait_until(lambda: open_streams() == "berth_event_streams 0", SIGHT, "they are gone")
