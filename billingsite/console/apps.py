from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin, with our site as the default one: the rooms' `admin.py` register with it."""

    default_site = "billingsite.console.site.ConsoleSite"
