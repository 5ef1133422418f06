"""The embedded servers, each test with servers of its own in processes of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from billingsite.supervisor import Postgres, Redis

ROOT = Path(__file__).resolve().parents[2]
USER = """
import sys, pathlib
from billingsite import embedded
for service in sys.argv[2:]:
    print(getattr(embedded, f"ensure_{service}")(pathlib.Path(sys.argv[1])), flush=True)
sys.stdin.readline()
"""
User = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """Start a process that uses the given services until it is told to end."""
    started: list[subprocess.Popen[str]] = []

    def start(*services: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(tmp_path), *services],
            cwd=ROOT,
            env={**os.environ, "EMBEDDED_FSYNC": "off"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    assert eventually(lambda: not servers_of(tmp_path)), "servers were left running"


def servers_of(var_dir: Path) -> list[psutil.Process]:
    """The servers and supervisors that run in this directory."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if str(var_dir) in f"{process.info['cmdline']} {process.info['cwd']}" and USER not in process.info["cmdline"]
    ]


def postmaster(var_dir: Path) -> psutil.Process:
    return psutil.Process(int((Postgres(var_dir).data / "postmaster.pid").read_text().split("\n")[0]))


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def url(process: subprocess.Popen[str]) -> str:
    """The next URL that a user has printed, once its server is ready."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def answer(var_dir: Path, sql: str) -> object:
    server = Postgres(var_dir)
    with psycopg.connect(host=str(server.sockets), dbname="billing", user="billing_owner", port="5432") as connection:
        row = connection.execute(sql).fetchone()  # type: ignore[arg-type]
        return row[0] if row else None


class TestEnsurePostgres:
    def test_starts_a_server_without_a_network_port(self, user: User, tmp_path: Path) -> None:
        assert url(user("postgres")) == Postgres(tmp_path).url
        assert answer(tmp_path, "SELECT current_database() || current_setting('listen_addresses')") == "billing"
        assert answer(tmp_path, "SELECT rolsuper FROM pg_roles WHERE rolname = 'billing_owner'") is True
        # Nobody else gets in:
        assert Postgres(tmp_path).sockets.stat().st_mode & 0o777 == 0o700

    def test_joins_a_running_server_and_stops_it_after_the_last_user(self, user: User, tmp_path: Path) -> None:
        first, second = user("postgres"), user("postgres")
        assert url(first) == url(second)
        server = postmaster(tmp_path)
        # The interrupt key reaches the whole group of the process that started the server.
        os.killpg(first.pid, signal.SIGINT)
        first.wait()
        time.sleep(0.5)
        assert answer(tmp_path, "SELECT 1") == 1
        assert server.is_running()
        second.communicate("end\n")
        assert eventually(lambda: not servers_of(tmp_path))
        assert not (Postgres(tmp_path).data / "postmaster.pid").exists()
        assert not Postgres(tmp_path).sockets.exists()

    def test_stops_the_server_after_a_user_was_killed(self, user: User, tmp_path: Path) -> None:
        process = user("postgres")
        url(process)
        process.kill()
        assert eventually(lambda: not servers_of(tmp_path))

    def test_starts_again_after_the_server_was_killed(self, user: User, tmp_path: Path) -> None:
        url(user("postgres"))
        server = postmaster(tmp_path)
        server.kill()
        assert url(user("postgres")) == Postgres(tmp_path).url
        assert answer(tmp_path, "SELECT 1") == 1

    def test_starts_again_after_the_supervisor_was_killed(self, user: User, tmp_path: Path) -> None:
        url(user("postgres"))
        server = postmaster(tmp_path)
        supervisor = server.parent()
        assert supervisor is not None
        supervisor.kill()
        assert url(user("postgres")) == Postgres(tmp_path).url
        assert answer(tmp_path, "SELECT 1") == 1
        assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE

    def test_starts_though_a_stale_lock_names_a_process_of_somebody_else(self, user: User, tmp_path: Path) -> None:
        first = user("postgres")
        url(first)
        server = postmaster(tmp_path)
        lock_file = Postgres(tmp_path).data / "postmaster.pid"
        lines = lock_file.read_text().split("\n")
        server.kill()
        first.communicate("end\n")
        assert eventually(lambda: not servers_of(tmp_path))
        lock_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        assert url(user("postgres")) == Postgres(tmp_path).url

    def test_serves_processes_that_start_together(self, user: User, tmp_path: Path) -> None:
        assert {url(process) for process in [user("postgres") for _ in range(4)]} == {Postgres(tmp_path).url}


class TestEnsureRedis:
    def test_starts_a_server_and_stops_it_after_the_last_user(self, user: User, tmp_path: Path) -> None:
        process = user("redis")
        assert url(process) == f"unix://{Redis(tmp_path).socket}"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(Redis(tmp_path).socket))
            connection.sendall(b"PING\r\n")
            assert connection.recv(7) == b"+PONG\r\n"
        process.communicate("end\n")
        assert eventually(lambda: not servers_of(tmp_path))
