"""AUTH: the whole table of who may ask for what through which door, written from the policies and not from the code."""

import re
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.actors import Actor, ActorKind, Channel, Role
from accounts.authority import VIEW_PERMISSION, WHOM_TO_ASK, Action, clause_of, describe, refusals

# Each line is one action: its clause, and who may ask for it. The columns are the doors: portal, API, e-mail, phone
# (the latter two recorded by a member of staff), console, command line, schedule. "+" is allowed, "." is refused.
COLUMNS = "PORTAL API EMAIL PHONE CONSOLE COMMAND SCHEDULE"
NOBODY = ". . . . . . ."
ANY_DOOR = "+ + + + . . ."
CONTROL_PANEL = "+ + . . . . ."
IN_WRITING = "+ . + . . . ."
STAFF_ROOMS = ". + . . + + ."
EVERYWHERE = "+ + + + + + +"

PRIMARY_ONLY = {"PRIMARY": ANY_DOOR}
PRIMARY_AND_BILLING = {"PRIMARY": ANY_DOOR, "BILLING": ANY_DOOR, "PRIMARY_BILLING": ANY_DOOR}
PRIMARY_AND_PRIMARY_BILLING = {"PRIMARY": ANY_DOOR, "PRIMARY_BILLING": ANY_DOOR}
ADMINISTRATOR_ONLY = {"ADMINISTRATOR": CONTROL_PANEL}

ASKERS = (
    *("PRIMARY", "PRIMARY_BILLING", "BILLING", "TECHNICAL", "ADMINISTRATOR"),
    *("NO_ROLE", "STAFF", "STAFF_WITH_PERMISSION", "UNKNOWN", "SYSTEM"),
)
TABLE = {
    "ADD_BILLING_CONTACT": ("AUTH-1", PRIMARY_ONLY),
    "REMOVE_BILLING_CONTACT": ("AUTH-1", PRIMARY_ONLY),
    "SET_PRIMARY_BILLING": ("AUTH-1", PRIMARY_ONLY),
    "TRANSFER_PRIMARY": ("AUTH-1", PRIMARY_ONLY),
    "CHANGE_ACCOUNT": ("AUTH-2", PRIMARY_ONLY),
    "CHANGE_CONTACTS": ("AUTH-2", PRIMARY_ONLY),
    "VIEW_BILLING": (
        "AUTH-4",
        PRIMARY_AND_BILLING | {"STAFF_WITH_PERMISSION": STAFF_ROOMS, "SYSTEM": EVERYWHERE},
    ),
    "CHANGE_BILLING_INFORMATION": ("AUTH-5", PRIMARY_AND_BILLING),
    "REQUEST_CHARGE": ("AUTH-6", PRIMARY_AND_BILLING),
    "AUTHORIZE_CHARGE": ("AUTH-6", PRIMARY_AND_PRIMARY_BILLING),
    "ADD_LICENSED_SERVICE": ("AUTH-7", ADMINISTRATOR_ONLY),
    "REMOVE_LICENSED_SERVICE": ("AUTH-7", ADMINISTRATOR_ONLY),
    "CHANGE_UNLICENSED_SERVICE": ("AUTH-6", PRIMARY_AND_PRIMARY_BILLING | ADMINISTRATOR_ONLY),
    "CHANGE_BILLING_DAY": ("BILL-5", PRIMARY_AND_BILLING),
    "OPEN_DISPUTE": ("AUTH-8", PRIMARY_AND_BILLING),
    "TERMINATE": ("AUTH-9", {"PRIMARY": IN_WRITING}),
    "ASK_WHOM_TO_TURN_TO": ("AUTH-10", dict.fromkeys(ASKERS, EVERYWHERE)),
}
CHANNELS = tuple(COLUMNS.split())
CELLS = list(product(TABLE, ASKERS, CHANNELS))


def actor(asker: str, channel: str, **values) -> Actor:
    """The asker of a row, at the door of a column; a contact's mail or call recorded by staff."""
    recorded_by = "sam" if channel in {"EMAIL", "PHONE"} else ""
    if asker in Role.__members__ or asker == "NO_ROLE":
        roles = frozenset({Role(asker)} if asker != "NO_ROLE" else ())
        made = Actor(ActorKind.CONTACT, "Ann Lee <ann@lee.example>", Channel(channel), roles, recorded_by=recorded_by)
    elif asker.startswith("STAFF"):
        permissions = frozenset({VIEW_PERMISSION} if asker == "STAFF_WITH_PERMISSION" else {"accounts.change_account"})
        made = Actor(ActorKind.STAFF, "Sam (sam)", Channel(channel), permissions=permissions)
    else:
        made = Actor(ActorKind(asker), asker.lower(), Channel(channel))
    return replace(made, **values)


class TestTheTable:
    """AUTH-1 to AUTH-10, BILL-5."""

    def test_has_a_line_for_every_action(self):
        assert set(TABLE) == set(Action.__members__)

    def test_has_a_row_for_every_role_and_kind_of_actor(self):
        roles = set(Role.__members__)
        kinds = {"CONTACT" if asker in roles | {"NO_ROLE"} else asker.partition("_")[0] for asker in ASKERS}
        assert roles < set(ASKERS)
        assert kinds == set(ActorKind.__members__)

    def test_has_a_column_for_every_channel(self):
        assert set(CHANNELS) == set(Channel.__members__)

    @pytest.mark.parametrize(("action", "asker", "channel"), CELLS)
    def test_holds_in_every_cell(self, action, asker, channel):
        clause, rows = TABLE[action]
        allowed = rows.get(asker, NOBODY).split()[CHANNELS.index(channel)] == "+"

        found = refusals(actor(asker, channel), Action(action))

        assert (found == ()) is allowed
        assert {refusal.clause for refusal in found} == (set() if allowed else {clause})

    @pytest.mark.parametrize("action", TABLE)
    def test_names_the_clause_of_every_action(self, action):
        assert clause_of(Action(action)) == TABLE[action][0]


class TestOnBehalfOf:
    """AUTH-3."""

    @pytest.mark.parametrize("action", TABLE)
    def test_is_refused_in_every_cell(self, action):
        for asker, channel in product(ASKERS, CHANNELS):
            found = refusals(actor(asker, channel, on_behalf_of="Bea Roe"), Action(action))

            assert [refusal.clause for refusal in found].count("AUTH-3") == 1, (asker, channel)

    @pytest.mark.parametrize("named", ["Ann Lee", "ann@LEE.example", "Ann Lee <ann@lee.example>", " "])
    def test_does_not_stop_a_sender_who_names_themselves(self, named):
        assert refusals(actor("PRIMARY", "PORTAL", on_behalf_of=named), Action.CHANGE_ACCOUNT) == ()

    @pytest.mark.parametrize("named", ["Ann", "lee.example", "Bea Roe", "<"])
    def test_stops_whoever_names_a_part_of_a_name_only(self, named):
        found = refusals(actor("PRIMARY", "PORTAL", on_behalf_of=named), Action.CHANGE_ACCOUNT)

        assert [refusal.clause for refusal in found] == ["AUTH-3"]

    @pytest.mark.parametrize("channel", ["PORTAL", "API"])
    def test_stops_staff_who_enter_the_control_panel_as_the_contact(self, channel):
        found = refusals(actor("ADMINISTRATOR", channel, recorded_by="sam"), Action.ADD_LICENSED_SERVICE)

        assert [refusal.clause for refusal in found] == ["AUTH-3"]


class TestEveryRefusal:
    """A refusal helps: it says what would be allowed, and gives nothing away (AUTH-10)."""

    @pytest.mark.parametrize("action", TABLE)
    def test_has_a_sentence_and_a_way_out_that_name_nobody(self, action):
        for asker, channel in product(ASKERS, CHANNELS):
            for refusal in refusals(actor(asker, channel, on_behalf_of="Bea Roe"), Action(action)):
                for text in (refusal.sentence, refusal.way_out):
                    assert re.fullmatch(r"[A-Z][^\n]+\.", text), (asker, channel)
                    assert not re.search(r"Ann|Bea|Sam|@|None|Channel|Role", text), (asker, channel)

    def test_comes_with_all_the_others(self):
        caller = actor("TECHNICAL", "PHONE", on_behalf_of="Bea Roe")

        in_anothers_name, not_primary, not_in_writing = refusals(caller, Action.TERMINATE)

        assert in_anothers_name.clause == "AUTH-3"
        assert not_primary.sentence == "Only the Primary Contact may ask for termination."
        assert not_in_writing.sentence == "No contact may ask for termination by phone."

    def test_sends_a_request_for_termination_by_phone_to_the_portal_or_to_mail(self):
        (refusal,) = refusals(actor("PRIMARY", "PHONE"), Action.TERMINATE)

        assert refusal.way_out == "Let the Primary Contact ask in writing (in the portal or by e-mail)."

    def test_tells_staff_that_licensed_services_are_the_administrators_alone(self):
        (refusal,) = refusals(actor("STAFF_WITH_PERMISSION", "CONSOLE"), Action.ADD_LICENSED_SERVICE)

        assert refusal.clause == "AUTH-7"
        assert refusal.sentence == (
            "Only the account's Administrator may add a licensed service, "
            "in the control panel (the portal or its API); staff may not, in the console either."
        )

    def test_tells_staff_to_record_what_a_contact_asked_for(self):
        (refusal,) = refusals(actor("STAFF", "CONSOLE"), Action.CHANGE_BILLING_INFORMATION)

        assert refusal.way_out == (
            "Record the request of the Primary Contact or a Billing Contact as it came, by e-mail or by phone."
        )

    def test_tells_an_administrator_on_the_phone_that_the_control_panel_is_open(self):
        (refusal,) = refusals(actor("ADMINISTRATOR", "PHONE"), Action.CHANGE_UNLICENSED_SERVICE)

        assert refusal.sentence == "The account's Administrator may not change a service by phone."
        assert refusal.way_out.endswith(
            "let the account's Administrator ask in the control panel (the portal or its API)."
        )


class TestAMailThatNobodyRecorded:
    """P12: mail can ask; alone it never moves money or changes who may ask."""

    ASKS_ONLY = ("REQUEST_CHARGE", "OPEN_DISPUTE", "TERMINATE")

    @pytest.mark.parametrize("action", ASKS_ONLY)
    def test_may_ask_for_what_somebody_decides_later(self, action):
        assert refusals(actor("PRIMARY", "EMAIL", recorded_by=""), Action(action)) == ()

    @pytest.mark.parametrize("action", sorted(set(TABLE) - {*ASKS_ONLY, "ASK_WHOM_TO_TURN_TO"}))
    def test_changes_and_tells_nothing(self, action):
        for role in Role:
            assert refusals(actor(role.value, "EMAIL", recorded_by=""), Action(action))

    @pytest.mark.parametrize("action", sorted(set(TABLE) - {"ASK_WHOM_TO_TURN_TO"}))
    def test_is_more_than_a_call_that_nobody_took(self, action):
        for role in Role:
            assert refusals(actor(role.value, "PHONE", recorded_by=""), Action(action))


class TestAnotherRole:
    """Roles add up."""

    @given(
        action=st.sampled_from(Action),
        roles=st.frozensets(st.sampled_from(Role)),
        more=st.sampled_from(Role),
        channel=st.sampled_from(Channel),
        recorded_by=st.sampled_from(["", "sam"]),
        on_behalf_of=st.sampled_from(["", "Bea Roe"]),
    )
    def test_never_takes_a_right_away(self, action, roles, more, channel, recorded_by, on_behalf_of):
        before = Actor(ActorKind.CONTACT, "Ann", channel, roles, on_behalf_of=on_behalf_of, recorded_by=recorded_by)
        after = replace(before, roles=roles | {more})

        assert refusals(after, action) == () or refusals(before, action) != ()


class TestWhomToAsk:
    """AUTH-10."""

    def test_names_the_primary_contact_by_role_only(self):
        assert WHOM_TO_ASK == (
            "The request must come from the Primary Contact of the account. "
            "This answer goes to the address that is on file for it."
        )


class TestDescribe:
    def test_labels_every_action_for_a_button(self):
        labels = [describe(action) for action in Action]

        assert len(set(labels)) == len(Action)
        assert all(label[0].isupper() and not label.endswith(".") for label in labels)
        assert describe(Action.CHANGE_BILLING_INFORMATION) == "Change billing information"
