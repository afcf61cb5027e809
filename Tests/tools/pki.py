"""Certificates for tests, by openssl(1)."""
import os
import shutil
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certificates(folder, names, addresses=None, days=60):
    """A certificate authority, and a directory for each host with its certificate and key."""
    folder.mkdir()
    ca, key = folder / "ca.crt", folder / "ca.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "60", "-subj", "/CN=test authority", "-keyout", key, "-out", ca)
    for name in names:
        place = folder / name
        place.mkdir()
        shutil.copy(ca, place / "ca.crt")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-keyout", place / "host.key", "-out", place / "host.csr")
        extension = place / "extension"
        # Over loopback a connection comes from 127.0.0.1, and etcd compares that as well.
        own = f",IP:{addresses[name]}" if addresses else ""
        extension.write_text(
            f"subjectAltName=DNS:{name},IP:127.0.0.1{own}\n"
            "extendedKeyUsage=serverAuth,clientAuth\n")
        openssl("x509", "-req", "-in", place / "host.csr", "-CA", ca, "-CAkey", key,
                "-CAcreateserial", "-days", str(days), "-extfile", extension,
                "-out", place / "host.crt")
        os.chmod(place / "host.key", 0o600)
