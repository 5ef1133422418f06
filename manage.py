#!/usr/bin/env python
import os
import sys

from django.core.management import execute_from_command_line
from django.db import ProgrammingError
from psycopg.errors import UndefinedTable

from billingsite.supervisor import EmbeddedServerFailed

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billingsite.settings")
    try:
        execute_from_command_line(sys.argv)
    except EmbeddedServerFailed as error:
        sys.exit(str(error))
    except ProgrammingError as error:
        if not isinstance(error.__cause__, UndefinedTable):
            raise
        missing = str(error.__cause__).splitlines()[0]
        sys.exit(f"The database is not set up for this version ({missing}): run `manage.py migrate` first.")
