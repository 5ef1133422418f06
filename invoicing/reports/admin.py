"""The statement stands among an account's acts, beside the letters that it is one of."""

from django.contrib import admin

from invoicing.documents.letter_admin import LetterAdmin
from invoicing.documents.models import Letter
from invoicing.reports.acts import STATEMENT_ACTS


class LettersWithStatements(LetterAdmin):
    """Letters know no books; the act that writes a statement of account is added here."""

    account_acts = STATEMENT_ACTS


admin.site.unregister(Letter)
admin.site.register(Letter, LettersWithStatements)
