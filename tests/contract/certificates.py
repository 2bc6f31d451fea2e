# SPDX-License-Identifier: Apache-2.0
"""Certificates for the tests, by the `openssl` command."""
import pathlib
import ssl
import subprocess

LIMIT = 60
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
HERE = "IP:127.0.0.1,DNS:localhost"


def openssl(*arguments):
    subprocess.run(["/usr/bin/openssl", *map(str, arguments)], check=True, timeout=LIMIT, capture_output=True)


class Authority:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.pem = self.folder / "authority.pem"
        self.key = self.folder / "authority.key"
        openssl("req", "-x509", *KEY, "-keyout", self.key, "-out", self.pem, "-subj", "/CN=berth test authority")

    def issue(self, name, names=HERE):
        """(certificate, key) as PEM texts."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        openssl("req", "-x509", *KEY, "-CA", self.pem, "-CAkey", self.key, "-keyout", key, "-out", cert, "-subj", f"/CN={name}",
                "-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE")
        return cert.read_text(), key.read_text()

    def client(self):
        """What trusts it and nobody else."""
        return ssl.create_default_context(cafile=self.pem)


def common_name(connected):
    """Of the certificate that the peer of a TLS socket showed."""
    return dict(pair[0] for pair in connected.getpeercert()["subject"])["commonName"]
