#!/usr/bin/env python
import os
import sys

from django.core.management import execute_from_command_line

from billingsite.supervisor import EmbeddedServerFailed

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billingsite.settings")
    try:
        execute_from_command_line(sys.argv)
    except EmbeddedServerFailed as error:
        sys.exit(str(error))
