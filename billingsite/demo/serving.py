"""The site, a worker and beat, together until Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from django.conf import settings

CELERY = [sys.executable, "-m", "celery", "-A", "billingsite"]


def serve(address: str, tell: Callable[[str], None]) -> None:
    """Run the three processes; the end of one, or Ctrl-C, ends them all."""
    beat_pid = settings.VAR_DIR / "celerybeat.pid"
    beat_pid.unlink(missing_ok=True)
    commands = {
        "site": [sys.executable, "manage.py", "runserver", "--noreload", address],
        "worker": [*CELERY, "worker", "--concurrency", "2", "--loglevel", "WARNING"],
        "beat": [*CELERY, "beat", "--loglevel", "WARNING", "--pidfile", str(beat_pid)],
    }
    processes = {
        name: subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ, start_new_session=True)
        for name, command in commands.items()
    }
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while all(process.poll() is None for process in processes.values()):
            time.sleep(0.5)
        ended = [f"{name} ({process.returncode})" for name, process in processes.items() if process.poll() is not None]
        tell(f"Ended: {', '.join(ended)}. Stopping the others.")
    except KeyboardInterrupt:
        tell("Stopping.")
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.terminate()
        for process in processes.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
