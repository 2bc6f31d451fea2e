# SPDX-License-Identifier: Apache-2.0
"""Counts side effects outside Berth, where no killed slot server can take them away."""
import asyncio
import pathlib
import threading

LINE_LIMIT = 60

# What every call does, besides sleeping and ending as it is told: one line in a file of its slot, the same line to the
# witness, and how many lines the file had before. $0 is the call's id; then port, sleep before, sleep after, exit code.
SCRIPT = """
lines=()
[ ! -e ran ] || mapfile -t lines < ran
[ "$2" = 0 ] || sleep "$2"
echo "$0" >> ran
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 90
echo "$0" >&3
read -r reply <&3 || exit 91
[ "$3" = 0 ] || sleep "$3"
echo "${#lines[@]} $reply"
exit "$4"
"""


class Witness:
    """Listens on the machine's loopback; appends each line to a file before it says so."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._file = open(self.path, "ab", buffering=0)
        self._loop = asyncio.new_event_loop()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader, writer):
        try:
            line = await asyncio.wait_for(reader.readline(), LINE_LIMIT)
            if line.endswith(b"\n"):
                self._file.write(line)
                writer.write(b"noted\n")
                await writer.drain()
        except (OSError, asyncio.TimeoutError):
            pass  # the slot was killed in the middle of it
        finally:
            writer.close()

    def lines(self):
        return self.path.read_text().splitlines()

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._file.close()


def argv(call_id, port, before=0.0, after=0.0, code=0):
    return ["/bin/bash", "-c", SCRIPT, call_id, str(port), f"{before:g}", f"{after:g}", str(code)]
