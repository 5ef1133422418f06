"""The sheet `contacts`: who speaks for an account, and as what (AUTH-1)."""

from accounts.actors import Role
from accounts.models import Contact, ContactRole
from invoicing.book.changes import NOW, Id
from invoicing.book.desk import Desk
from invoicing.book.parsing import Row
from invoicing.book.queries import Stored, stored_contacts
from invoicing.book.sheets import UNSAID

SHEET = "contacts"
SINGLE = (Role.PRIMARY, Role.PRIMARY_BILLING)
_WORDS = {Role.PRIMARY: "Primary Contact", Role.PRIMARY_BILLING: "Primary Billing Contact"}


def plan_contacts(desk: Desk) -> None:
    placed = []
    for row in desk.sound_rows(SHEET, key=lambda row: (row["account"], row["email"].upper()), column="email"):
        account = desk.account_of(SHEET, row)
        if account:
            placed.append((row, account.id))
    ids = sorted({account_id for _, account_id in placed if isinstance(account_id, int)})
    stored = stored_contacts(ids) if ids else {}
    _check_single_roles(desk, placed, stored)
    for row, account_id in placed:
        if row.sound:
            found = stored.get((account_id, row["email"].upper())) if isinstance(account_id, int) else None
            _write(desk, row, account_id, found)


def _check_single_roles(desk: Desk, placed: list[tuple[Row, Id]], stored: dict[tuple[int, str], Stored]) -> None:
    """AUTH-1: one Primary an account, which the book does not take away; at most one Primary Billing Contact."""
    given = {(account_id, row["email"].upper()): row for row, account_id in placed if row["roles"] is not UNSAID}
    holders: dict[tuple[Id, str], str] = {}
    for (stored_id, email), contact in stored.items():
        if (stored_id, email) not in given:
            holders |= {(stored_id, role): contact.values["email"] for role in contact.values["roles"]}
    for (account_id, _), row in given.items():
        for role in SINGLE:
            if (
                role in row["roles"]
                and (holder := holders.setdefault((account_id, role), row["email"])) != row["email"]
            ):
                wrong = f"AUTH-1: account {row['account']} has a {_WORDS[role]}, {holder}."
                right = f"one of them in that role; to pass it on, give the row of {holder} without it as well."
                desk.wrong(SHEET, row, "roles", wrong, right)
    _check_primary_stays(desk, given, stored, {account_id for account_id, role in holders if role == Role.PRIMARY})


def _check_primary_stays(
    desk: Desk, given: dict[tuple[Id, str], Row], stored: dict[tuple[int, str], Stored], has_primary: set[Id]
) -> None:
    for key, row in given.items():
        was = stored.get(key) if isinstance(key[0], int) else None  # type: ignore[arg-type]
        if was and Role.PRIMARY in was.values["roles"] and key[0] not in has_primary:
            wrong = f"AUTH-1: account {row['account']} would be left without a Primary Contact."
            desk.wrong(SHEET, row, "roles", wrong, "primary here, or in the roles of another of its contacts.")


def _write(desk: Desk, row: Row, account_id: Id, stored: Stored | None) -> None:
    name = f"{row['account']} {row['email']}"
    differing = desk.tally(SHEET, row, name, stored.values if stored else None, row.values)
    roles = () if row["roles"] is UNSAID else row["roles"]
    if stored is None:
        phone = "" if row["phone"] is UNSAID else row["phone"]
        contact_id: Id = desk.writes.insert(
            Contact, account_id=account_id, name=row["name"], email=row["email"], phone=phone, created_at=NOW
        )
    else:
        contact_id = stored.id
        if differing.keys() & {"name", "email", "phone"}:
            after = {column: differing.get(column, stored.values[column]) for column in ("name", "email", "phone")}
            desk.writes.update(Contact, stored.id, **after)
        if "roles" not in differing:
            return
        desk.writes.lost_roles.extend((stored.id, role) for role in set(stored.values["roles"]) - set(roles))
        roles = sorted(set(roles) - set(stored.values["roles"]))
    for role in roles:
        desk.writes.insert(ContactRole, account_id=account_id, contact_id=contact_id, role=role)
