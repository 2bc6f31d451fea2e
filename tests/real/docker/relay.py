# SPDX-License-Identifier: Apache-2.0
"""A port of this machine for a server that only a unix socket, or a container's own loopback, leads to."""
import contextlib
import ctypes
import os
import socket
import threading

CLONE_NEWNET = 0x40000000


def to_unix(path):
    """What opens connections to a unix socket."""
    def connect():
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.connect(path)
        return opened
    return connect


def to_loopback_of(pid, port):
    """What opens connections to a port of 127.0.0.1 in the network of a process."""
    def connect():
        opened = []

        def enter():
            # A thread of its own, which ends in that network.
            network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(network, CLONE_NEWNET) == 0:
                    opened.append(socket.create_connection(("127.0.0.1", port)))
            finally:
                os.close(network)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if not opened:
            raise ConnectionRefusedError(f"port {port} of process {pid}'s network")
        return opened[0]
    return connect


def pump(source, target):
    """Bytes until there are no more, and then their end."""
    with contextlib.suppress(OSError):
        while part := source.recv(1 << 16):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


class Relay:
    def __init__(self, connect):
        self.connect = connect
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.pass_on, args=(client,), daemon=True).start()

    def pass_on(self, client):
        with contextlib.suppress(OSError), client, self.connect() as server:
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
