"""The console's pages that show more than one app, for Django to find."""

from billingsite.console import account_admin, people, tokens

__all__ = ["account_admin", "people", "tokens"]
