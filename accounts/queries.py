"""Who is asking, read from the database; the doors build their `Actor` here."""

from dataclasses import replace

from django.contrib.auth.models import AbstractUser

from accounts.actors import Actor, ActorKind, Channel, Role
from accounts.models import Account, Contact, ContactRole


def roles_in(account: Account, contact_id: int) -> frozenset[Role]:
    """The roles of a contact in this account: none when it is a contact of another one."""
    held = ContactRole.objects.filter(account=account, contact__account=account, contact_id=contact_id)
    return frozenset(Role(role) for role in held.values_list("role", flat=True))


def as_held_in(actor: Actor, account: Account | None) -> Actor:
    """The actor with the roles held now in this account, whatever it came with."""
    if actor.contact_id is None or account is None:
        return replace(actor, roles=frozenset())
    return replace(actor, roles=roles_in(account, actor.contact_id))


def actor_for_contact(contact: Contact, channel: Channel, *, recorded_by: str = "", on_behalf_of: str = "") -> Actor:
    """
    A contact who asks by themselves, or whose mail or call a member of staff records.

    `on_behalf_of` is the principal that the request names, where it names one (AUTH-3).
    """
    return Actor(
        ActorKind.CONTACT,
        str(contact),
        channel,
        roles=roles_in(contact.account, contact.pk),
        contact_id=contact.pk,
        on_behalf_of=on_behalf_of,
        recorded_by=recorded_by,
    )


def actor_for_sender(
    account: Account, email: str, channel: Channel, *, recorded_by: str = "", on_behalf_of: str = ""
) -> Actor:
    """
    Whoever wrote from this bare address: a contact of the account, or nobody we know.

    AUTH-4: an address that invoices are delivered to makes nobody a contact.
    """
    address = "".join(letter for letter in email if letter.isprintable()).strip()
    contact = Contact.objects.select_related("account").filter(account=account, email__iexact=address).first()
    if contact:
        return actor_for_contact(contact, channel, recorded_by=recorded_by, on_behalf_of=on_behalf_of)
    return Actor(ActorKind.UNKNOWN, address, channel, on_behalf_of=on_behalf_of, recorded_by=recorded_by)


def actor_for_user(user: AbstractUser, *, channel: Channel = Channel.CONSOLE) -> Actor:
    """A member of staff with the permissions of their groups; any other sign-in is nobody to the console."""
    if not (user.is_active and user.is_staff):
        return Actor(ActorKind.UNKNOWN, user.get_username(), channel, user_id=user.pk)
    full_name = user.get_full_name()
    return Actor(
        ActorKind.STAFF,
        f"{full_name} ({user.get_username()})" if full_name else user.get_username(),
        channel,
        permissions=frozenset(user.get_all_permissions()),
        user_id=user.pk,
    )


def address_on_file(account: Account) -> str:
    """AUTH-10, ID-2: where answers go that must reach the Primary Contact; empty when the account has none."""
    primary = Contact.objects.filter(account=account, roles__role=Role.PRIMARY).values_list("email", flat=True)
    return primary.first() or ""
