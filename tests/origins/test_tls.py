"""Connections by TLS, to real servers of this test's own: certificates are checked where the URL says so."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.origins.servers import programs, start_mariadb, start_postgres, stop_mariadb, stop_postgres
from tests.origins.test_postgres import read
from warehouse_refresh.origins import OriginError, Relation, open_snapshot

pytestmark = pytest.mark.slow
_NEW = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, ca and other, and a certificate of ca's for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    commands = [[*_NEW, f"/CN={ca}", "-x509", "-keyout", f"{ca}.key", "-out", f"{ca}.crt"] for ca in ("ca", "other")]
    commands.append([*_NEW, "/CN=localhost", "-keyout", "server.key", "-out", "request"])
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-out", "server.crt"]
    commands.append(["openssl", "x509", "-req", "-in", "request", *signed])
    for command in commands:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def free_port() -> int:
    """A port that the system has just chosen."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def postgres(folder: Path) -> Iterator[str]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    keys = {name: (folder / name).read_text() for name in ("server.crt", "server.key")}
    port = free_port()
    files = ("-c", "ssl=on", "-c", "ssl_cert_file=../server.crt", "-c", "ssl_key_file=../server.key")
    server = start_postgres("-c", "listen_addresses=127.0.0.1", "-p", str(port), *files, keys=keys)
    yield f"postgresql://shop@localhost:{port}/postgres?"
    stop_postgres(server)


@pytest.fixture(scope="module")
def maria(folder: Path) -> Iterator[str]:
    files = (f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key", f"--ssl-ca={folder}/ca.crt")
    server = start_mariadb(*files)
    yield f"mysql://shop@localhost/information_schema?unix_socket={server}/socket&"
    stop_mariadb(server)


@pytest.mark.parametrize("kind", ["postgres", "maria"])
def test_a_connection_is_secret_and_its_server_the_right_one(
    kind: str, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue(kind)
    certificates, query, secret = {
        "postgres": ("sslrootcert", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "True"),
        "maria": (
            "ssl_ca",
            "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_version'",
            "TLSv1.3",
        ),
    }[kind]
    for options in ("sslmode=require", f"sslmode=verify-full&{certificates}={folder}/ca.crt"):
        with open_snapshot(f"{url}{options}") as snapshot:
            _, rows = read(snapshot, tmp_path, Relation(query=query))
        assert [str(value) for (value,) in rows] == [secret]
    for wrong in ("other.crt", "nothing.crt"):
        bad = f"{url}sslmode=verify-full&{certificates}={folder}/{wrong}"
        with pytest.raises(OriginError, match="certificate"), open_snapshot(bad):
            pass
    other_name = url.replace("@localhost", "@127.0.0.1") + f"sslmode=verify-full&{certificates}={folder}/ca.crt"
    with pytest.raises(OriginError, match=r"does not match host name|not valid for"), open_snapshot(other_name):
        pass
