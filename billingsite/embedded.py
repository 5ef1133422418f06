"""
PostgreSQL and Redis out of wheels, for a machine that has neither.

The process that needs a server first starts a supervisor for it (supervisor.py). Each process that uses the server
holds a shared lock on ``users.lock``; the lock goes with its process, however that ends, and the supervisor stops the
server as soon as it gets the lock for itself alone.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from billingsite import supervisor
from billingsite.supervisor import STOP_SECONDS, EmbeddedServerFailed, Postgres, Redis, locked

_users_locks: dict[Path, int] = {}
"""The ``users.lock`` files this process holds, open until it ends."""


def ensure_postgres(var_dir: Path) -> str:
    """
    The URL of the embedded PostgreSQL of ``var_dir``, started if it does not run yet.

    :raises EmbeddedServerFailed:
    """
    server = Postgres(Path(var_dir).resolve())
    _ensure(server)
    return server.url


def ensure_redis(var_dir: Path) -> str:
    """
    The URL of the embedded Redis of ``var_dir``, started if it does not run yet.

    :raises EmbeddedServerFailed:
    """
    server = Redis(Path(var_dir).resolve())
    _ensure(server)
    return server.url


def _ensure(server: Postgres | Redis) -> None:
    """Hold the server's users lock from now until the process ends, and start the server unless it runs."""
    try:
        server.home.mkdir(parents=True, exist_ok=True)
        _check_owner(server.home)
        if server.home not in _users_locks:
            # Waits while a supervisor is stopping the server.
            _users_locks[server.home] = locked(server.home / "users.lock", fcntl.LOCK_SH)
        with _start_lock(server) as start_lock:
            if not _runs(server):
                _start_supervisor(server, start_lock)
    except PermissionError as error:
        raise EmbeddedServerFailed(
            f"{error.filename} is not writable for user {os.geteuid()}. Set VAR_DIR to a directory of your own."
        ) from error


def _check_owner(directory: Path) -> None:
    owner = directory.stat().st_uid
    if owner != os.geteuid():
        raise EmbeddedServerFailed(
            f"{directory} belongs to user {owner}, and this process runs as user {os.geteuid()}: "
            "run as that user, or set VAR_DIR to a directory of your own."
        )


@contextlib.contextmanager
def _start_lock(server: Postgres | Redis) -> Iterator[int]:
    """One process at a time looks whether the server runs. The supervisor inherits the lock until it is ready."""
    descriptor = locked(server.home / "start.lock", fcntl.LOCK_EX)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _runs(server: Postgres | Redis) -> bool:
    """Whether the server answers; one that is just being stopped is waited for and does not."""
    deadline = time.monotonic() + STOP_SECONDS
    while _is_supervised(server):
        if server.is_ready():
            return True
        if time.monotonic() > deadline:
            raise EmbeddedServerFailed(f"The running {server.name} does not answer; its log is {server.log}.")
        time.sleep(0.1)
    return False


def _is_supervised(server: Postgres | Redis) -> bool:
    try:
        os.close(locked(server.supervisor_lock, fcntl.LOCK_SH | fcntl.LOCK_NB))
    except BlockingIOError:
        return True
    return False


def _start_supervisor(server: Postgres | Redis, start_lock: int) -> None:
    """Start the supervisor as a script of its own; the call returns once the server is ready."""
    done = subprocess.run(
        [sys.executable, "-I", supervisor.__file__, server.name, str(server.var_dir), str(start_lock)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        pass_fds=[start_lock],
        text=True,
        check=False,
    )
    if done.returncode:
        raise EmbeddedServerFailed(done.stderr.strip())
