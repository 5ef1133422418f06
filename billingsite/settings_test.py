"""The settings of the tests: services of their own, worked as the owner so that test databases can be made."""

import os
from pathlib import Path

os.environ.setdefault("VAR_DIR", str(Path(__file__).resolve().parent.parent / "var" / "test"))
os.environ.setdefault("EMBEDDED_FSYNC", "off")
os.environ.setdefault("INSECURE_HTTP", "1")
os.environ.setdefault("LOG_LEVEL", "WARNING")

from billingsite.settings import *

# "gw0", "gw1", ... in the processes of pytest-xdist; clearing the cache empties a whole Redis database.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
CACHES["default"] |= {
    "LOCATION": f"{REDIS_URL.split('?')[0]}?db={2 + int(WORKER.removeprefix('gw') or 0)}"
    if REDIS_URL.startswith("unix://")
    else CACHES["default"]["LOCATION"],
    "KEY_PREFIX": f"test{WORKER}",
}
CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = f"test{WORKER}:"

DATABASE_OWNER_MODE = True
DATABASES["default"]["CONN_MAX_AGE"] = 0
# Tests that commit empty the tables afterwards, append-only ones too; their triggers let this through.
DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c billing.tables_may_be_emptied=yes"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STAFF_SECOND_FACTOR = False
# A thread of its own would not see what a test has not committed.
RUN_WORKERS = 1
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True
