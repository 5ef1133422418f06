import os
import subprocess
import sys
from pathlib import Path

from billingsite.secret_key import secret_key

ROOT = Path(__file__).resolve().parents[2]


def manage(*arguments: str, var_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**inherited, "VAR_DIR": str(var_dir), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestSettings:
    def test_are_safe_for_production_when_nothing_is_set(self, tmp_path: Path) -> None:
        checked = manage("check", "--deploy", "--fail-level", "WARNING", var_dir=tmp_path)
        assert (checked.returncode, checked.stderr) == (0, "")

    def test_start_no_server_for_a_command_that_needs_none(self, tmp_path: Path) -> None:
        assert manage("help", var_dir=tmp_path).returncode == 0
        assert not (tmp_path / "embedded").exists()


class TestSecretKey:
    def test_is_made_once_and_kept_private(self, tmp_path: Path) -> None:
        path = tmp_path / "var" / "secret_key"
        key = secret_key(path)
        assert secret_key(path) == key
        assert len(key) > 50
        assert path.stat().st_mode & 0o777 == 0o600
        assert [file.name for file in path.parent.iterdir()] == ["secret_key"]
