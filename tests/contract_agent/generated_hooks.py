# SPDX-License-Identifier: Apache-2.0
"""What schemathesis cannot know: how long it may wait, and that a tar is bytes."""
import re

import schemathesis

A_TIME = re.compile(r"[0-9]+(ms|s|m|h)")

schemathesis.serializer.alias("application/x-tar", "application/octet-stream")


@schemathesis.hook
def map_body(_context, body):
    # An acquire waits for as long as it says where no slot is free, which is no fault.
    if isinstance(body, dict) and A_TIME.fullmatch(str(body.get("wait", ""))):
        return {**body, "wait": "5ms"}
    return body
