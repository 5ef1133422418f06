"""
The settings. Everything that differs between machines comes from the environment or from a file ``.env`` beside
manage.py; .env.example lists it. Without any of it the project is set up safely on services of its own (embedded.py).
"""

import sys
from pathlib import Path

import environ

from billingsite import embedded, logs
from billingsite.celery import broker_url
from billingsite.console.navigation import UNFOLD as CONSOLE
from billingsite.secret_key import secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

COMMAND = sys.argv[1] if len(sys.argv) > 1 and Path(sys.argv[0]).name in {"manage.py", "django-admin"} else ""
DEBUG = env.bool("DEBUG", False)
DEMO = env.bool("DEMO", False)
# Plain http is for one's own machine, which is the only place where these two commands serve anything.
INSECURE_HTTP = env.bool("INSECURE_HTTP", DEMO or DEBUG or COMMAND in {"runserver", "demo"})
# The provider's platform is told over https and at public addresses only, but for a demo on one's own machine.
PLATFORM_MAY_BE_LOCAL = env.bool("PLATFORM_MAY_BE_LOCAL", DEMO or DEBUG)

# Data
VAR_DIR = (BASE_DIR / env.str("VAR_DIR", "var")).resolve()
DOCUMENTS_ROOT = MEDIA_ROOT = VAR_DIR / "documents"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)

# Services
NEEDS_NO_SERVICES = {
    *("check", "collectstatic", "compilemessages", "diffsettings", "findstatic", "help", "makemessages", "version"),
    *("--help", "-h", "--version"),
}
MAY_START_SERVICES = env.bool("EMBEDDED_START", COMMAND not in NEEDS_NO_SERVICES)
DATABASE_URL = env.str("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", "")
if MAY_START_SERVICES:
    DATABASE_URL = DATABASE_URL or embedded.ensure_postgres(VAR_DIR)
    REDIS_URL = REDIS_URL or embedded.ensure_redis(VAR_DIR)

DATABASES = {
    "default": {
        **env.db_url_config(DATABASE_URL or "postgres:///billing"),
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE", 60),
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The site works as this role, which may not change what is append-only; roles.py makes it. Commands that change tables
# work as the role that logs in, the owner.
DATABASE_APP_ROLE = env.str("DATABASE_APP_ROLE", "billing_app")
DATABASE_OWNER_MODE = COMMAND in {
    *("createcachetable", "dbshell", "flush", "makemigrations", "migrate", "pgtrigger", "sqlflush", "test"),
}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.str("CACHE_URL", REDIS_URL or "redis://"),
        "KEY_PREFIX": "clausebook",
    }
}

# Work. A lost, doubled or late message costs time and nothing else, so no result is kept.
CELERY_BROKER_URL = broker_url(REDIS_URL or "redis://")
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": "clausebook:", "visibility_timeout": 3600}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
# Threads that share out one large run: while one prices, the database works for another.
RUN_WORKERS = env.int("RUN_WORKERS", 2)
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# Each only asks the database what is due, so that twice, late or never does no harm; the console can change the pace.
CELERY_BEAT_SCHEDULE = {
    "bill what is due": {"task": "invoicing.runs.tasks.bill_due", "schedule": 600.0},
    "top up balances": {"task": "invoicing.prepaid.tasks.top_up_balances", "schedule": 300.0},
    "warn of low balances": {"task": "invoicing.prepaid.tasks.warn_of_low_balances", "schedule": 6 * 3600.0},
    "post what waited for credit": {"task": "invoicing.runs.tasks.post_awaited", "schedule": 120.0},
    "remind": {"task": "invoicing.collections.tasks.remind_unpaid", "schedule": 3600.0},
    "suspend and restore": {"task": "invoicing.collections.tasks.suspend_unpaid", "schedule": 600.0},
    "hand over to the agency": {"task": "invoicing.collections.tasks.hand_off_unpaid", "schedule": 3600.0},
    "tell the platform": {"task": "invoicing.collections.tasks.tell_the_platform", "schedule": 60.0},
    "follow orders": {"task": "invoicing.orders.tasks.follow_orders", "schedule": 120.0},
    "lapse orders": {"task": "invoicing.orders.tasks.lapse_orders", "schedule": 3600.0},
    "draw documents": {"task": "invoicing.documents.tasks.render_documents", "schedule": 60.0},
    "charge what is due": {"task": "invoicing.payments.tasks.charge_due", "schedule": 1800.0},
    "ask about open payments": {"task": "invoicing.payments.tasks.resolve_payments", "schedule": 60.0},
    "work off gateways' notices": {"task": "invoicing.payments.tasks.work_off_events", "schedule": 60.0},
    "write reports": {"task": "invoicing.reports.tasks.write_exports", "schedule": 60.0},
    "send deliveries": {"task": "invoicing.documents.tasks.send_deliveries", "schedule": 60.0},
    "forget removed methods": {"task": "invoicing.payments.method_tasks.forget_removed_methods", "schedule": 3600.0},
    "warn of expiring cards": {"task": "invoicing.payments.method_tasks.warn_of_cards", "schedule": 6 * 3600.0},
}
if DEMO:
    CELERY_BEAT_SCHEDULE["let the demo's bank work"] = {
        "task": "invoicing.payments.demo_tasks.let_the_demo_bank_work",
        "schedule": 30.0,
    }

# Mail: without a server, files to look at
if email_url := env.str("EMAIL_URL", ""):
    vars().update(env.email_url_config(email_url))
else:
    EMAIL_BACKEND = "billingsite.mailfiles.EmailBackend"
    EMAIL_FILE_PATH = VAR_DIR / "mail"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("DEFAULT_FROM_EMAIL", "billing@clausebook.example")

# Payments: where methods are added and charged. The demo gateway moves no money and is for demonstrations only.
PAYMENT_GATEWAY = env.str("PAYMENT_GATEWAY", "demo" if DEMO else "")
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
DEMO_GATEWAY_FILE = VAR_DIR / "demo-gateway.sqlite3"

# The site
SECRET_KEY = env.str("SECRET_KEY", "") or secret_key(VAR_DIR / "secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Where customers find the site, for links that leave it (mails, the way back from a gateway's page): never the address
# that a request claims to have come to.
_OWN_ADDRESS = "http://127.0.0.1:8000" if INSECURE_HTTP else f"https://{(ALLOWED_HOSTS or ['localhost'])[0]}"
SITE_URL = env.str("SITE_URL", _OWN_ADDRESS).rstrip("/")
ROOT_URLCONF = "billingsite.urls"
WSGI_APPLICATION = "billingsite.wsgi.application"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "billingsite.formats"
USE_TZ = True

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "billingsite.console.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_celery_beat",
    "pgtrigger",
    "pghistory",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "accounts",
    "invoicing",
    "billingsite",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "billingsite.csp.AdminPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "billingsite.signin.StaffSecondFactor",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# The console; its pages are in billingsite/console.
UNFOLD = CONSOLE

STATIC_URL = "/static/"
STATICFILES_DIRS = [directory for directory in [BASE_DIR / "static"] if directory.is_dir()]
# Files named by their content once collectstatic has run; until then they are served from where they lie.
IS_COLLECTED = (STATIC_ROOT / "staticfiles.json").exists()
WHITENOISE_USE_FINDERS = not IS_COLLECTED
_MANIFEST = "whitenoise.storage.CompressedManifestStaticFilesStorage"
_PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _MANIFEST if IS_COLLECTED or COMMAND == "collectstatic" else _PLAIN},
}

# Sign-in: by user name or e-mail address; nobody signs up, contacts are invited
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "billingsite.signin.ClosedSignUp"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http" if INSECURE_HTTP else "https"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# Addresses come from whoever added the person, never from a stranger's sign-up form.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Clausebook"
MFA_TOTP_TOLERANCE = 1
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = INSECURE_HTTP
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", not DEMO)

# The API: machines with tokens, JSON and nothing else. Each view names its own way in; without one it lets nobody in.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "accounts.api.in_sentences",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Clausebook",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}
# PRE-1: a use is deducted as it happens; one that comes later than this is refused.
USAGE_AT_MOST_DAYS_OLD = env.int("USAGE_AT_MOST_DAYS_OLD", 62)

# What a browser may do with our pages
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not INSECURE_HTTP
SESSION_COOKIE_AGE = env.int("SESSION_HOURS", 12) * 3600
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 0 if INSECURE_HTTP else 365 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_HTTP
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.bool("BEHIND_TLS_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        # Named though default-src says the same, so that csp.py can add to them for the admin.
        "script-src": ["'self'"],
        "style-src": ["'self'"],
    }
}

LOGGING = logs.configure(as_json=not (DEBUG or INSECURE_HTTP), level=env.str("LOG_LEVEL", "INFO"))
