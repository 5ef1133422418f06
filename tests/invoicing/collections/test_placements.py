"""COLL-1: proposed daily, approved, handed over with what is open then; and what comes after."""

import csv
import hashlib
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import openpyxl
import pytest
from pypdf import PdfReader

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, Role, schedule
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from invoicing.collections import batch_files, placing
from invoicing.collections.agency_rows import HEADER, batch_rows, update_rows
from invoicing.collections.batch_files import write_batches
from invoicing.collections.following import follow_up, recall_placement, recorded_of
from invoicing.collections.handing_over import hand_off
from invoicing.collections.holds import place_hold, promise_to_pay
from invoicing.collections.models import Placement, PlacementBatch, PlacementRecord
from invoicing.collections.placing import approve_placements, decline_placement
from invoicing.collections.proposing import propose
from invoicing.documents.rendering import render_pending
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.ledger.models import LedgerEntry
from invoicing.payments.allocation import take_back
from invoicing.states import NotPossibleNow
from invoicing.subscriptions.models import BillingProfile
from tests.accounts.factories import account_with_contacts, make_contact
from tests.chaos.at_once import at_once, failures
from tests.invoicing.collections.factories import (
    DUE,
    MIA,
    NOBODY,
    NOW,
    at,
    invoice,
    money,
    open_of,
    pay,
    pending,
    statements,
)
from tests.invoicing.factories import customer, seller, terms

D = Decimal
RIPE = date(2026, 3, 31)
CLERK = Actor(
    ActorKind.STAFF, "Cleo Clerk", Channel.CONSOLE,
    permissions=frozenset({"invoicing.issue_credit_note", "invoicing.allocate_payment"}),
)  # fmt: skip


def daily(on=RIPE, **options):
    return hand_off(on=on, now=at(on), actor=schedule(), **options)


def approved(on=RIPE, **options):
    return approve_placements(**({"on": on, "now": at(on), "actor": MIA} | options))


def handed(account=None, amount="100", **values):
    """An invoice that is with the agency, and its placement."""
    made = invoice(account, amount, **values)
    propose(on=RIPE, now=at(RIPE), actor=schedule())
    approved()
    return made, Placement.objects.get(account=made.account, state="PLACED")


def follow(on=RIPE):
    return follow_up(on=on, now=at(on), actor=schedule())


def held(of, kind="DISPUTE", **values):
    return place_hold(
        account=of.account, invoice=of, kind=kind, why="Asked.", actor=MIA, now=NOW, today=RIPE, until_on=RIPE, **values
    )


def records(placement) -> list[tuple[str, Decimal]]:
    return list(placement.records.order_by("pk").values_list("kind", "amount"))


@pytest.mark.django_db
class TestPropose:
    """COLL-1."""

    def test_proposes_what_is_unpaid_thirty_days_after_it_was_due(self):
        made = invoice()
        daily(RIPE - timedelta(days=1))
        assert not Placement.objects.exists()
        daily()
        one = Placement.objects.get()
        assert (one.account, one.state, one.amount, one.proposed_on) == (made.account, "PROPOSED", D(100), RIPE)
        assert open_of(made) == (D(100), D(0))

    def test_changes_nothing_when_it_runs_again(self):
        invoice()
        for _ in range(5):
            daily()
        assert Placement.objects.count() == 1
        assert AuditEntry.objects.filter(action="propose placement").count() == 1

    def test_makes_one_placement_of_all_that_is_ripe_of_an_account(self):
        account = customer()
        invoice(account, "40"), invoice(account, "60"), invoice(account, "25", due_on=date(2026, 3, 30))
        daily()
        assert Placement.objects.get().amount == D(100)

    def test_keeps_a_proposal_up_to_date(self):
        account = customer()
        invoice(account, "40")
        daily()
        late = invoice(account, "60", due_on=date(2026, 3, 2))
        pay(late, "15", on=RIPE)
        daily(RIPE + timedelta(days=1))
        assert Placement.objects.get().amount == D(85)

    @pytest.mark.parametrize("kind", ["DISPUTE", "PROMISE", "OTHER"])
    def test_leaves_out_what_is_held_and_only_that(self, kind):
        account = customer()
        held(invoice(account, "40"), kind)
        invoice(account, "60")
        daily()
        assert Placement.objects.get().amount == D(60)

    def test_leaves_out_what_has_a_payment_under_way(self):
        pending(invoice())
        daily()
        assert not Placement.objects.exists()

    def test_takes_part_payments_and_credit_off(self):
        """Lago duns for full totals."""
        made = invoice(amount="100")
        pay(made, "30", on=date(2026, 3, 2))
        money(made.account, "20", on=date(2026, 3, 3))
        daily()
        assert Placement.objects.get().amount == D(50)

    def test_keeps_to_one_currency_a_placement(self):
        account = customer()
        invoice(account, "40", currency="EUR", due_on=date(2026, 2, 20)), invoice(account, "60")
        daily()
        one = Placement.objects.get()
        assert (one.currency, one.amount) == ("EUR", D(40))

    def test_withdraws_what_was_paid_before_approval(self):
        made = invoice()
        daily()
        pay(made, on=RIPE)
        daily()
        one = Placement.objects.get()
        assert (one.state, one.closed_because[:15]) == ("DECLINED", "Nothing is left")

    def test_hands_over_by_itself_where_the_terms_say_so(self):
        terms("hosted-direct", collections_approval="AUTOMATIC")
        made = invoice()
        swept = daily()
        assert swept.done["placed"] == swept.done["files"] == 1
        assert open_of(made) == (D(0), D(100))

    def test_writes_nothing_in_a_dry_run(self):
        invoice()
        assert daily(dry_run=True).done["proposed"] == 1
        assert not Placement.objects.exists()

    def test_takes_a_constant_number_of_statements_a_page(self):
        invoice()
        propose(on=RIPE, now=NOW, actor=schedule())
        invoice()
        with statements() as few:
            propose(on=RIPE, now=NOW, actor=schedule())
        for _ in range(6):
            account = customer()
            invoice(account), invoice(account)
        with statements() as many:
            propose(on=RIPE, now=NOW, actor=schedule())
        assert len(many) == len(few)


@pytest.mark.django_db
class TestApprovePlacements:
    def test_moves_receivable_to_collections_once(self):
        made, one = handed()
        approved()
        assert open_of(made) == (D(0), D(100))
        entry = LedgerEntry.objects.get(kind="PLACEMENT")
        assert (entry.source, entry.on) == (f"placement:{one.pk}", RIPE)
        assert PlacementBatch.objects.get().totals == {"USD": "100.00"}

    def test_needs_the_right(self):
        invoice()
        daily()
        with pytest.raises(NotPermitted):
            approved(actor=NOBODY)

    def test_hands_over_the_chosen_and_no_other(self):
        first, second = invoice(), invoice()
        daily()
        approved(placements=[Placement.objects.get(account=second.account).pk])
        assert (open_of(first), open_of(second)) == ((D(100), D(0)), (D(0), D(100)))

    def test_hands_over_what_is_open_then(self):
        """A payment between proposal and approval."""
        made = invoice()
        daily()
        pay(made, "99.99", on=RIPE)
        approved()
        assert open_of(made) == (D(0), D("0.01"))
        assert Placement.objects.get().amount == D("0.01")

    def test_declines_what_was_paid_meanwhile(self):
        made = invoice()
        daily()
        pay(made, on=RIPE)
        approved()
        assert Placement.objects.get().state == "DECLINED"
        assert not PlacementBatch.objects.exists()

    def test_leaves_out_what_is_not_ripe_by_the_terms_of_now(self):
        made = invoice()
        propose(on=RIPE, now=at(RIPE), actor=schedule())
        terms("hosted-direct", collections_after_days=60)
        assert approved().done == {"declined": 1, "placed": 0}
        assert open_of(made) == (D(100), D(0))

    def test_leaves_out_what_was_disputed_meanwhile(self):
        account = customer()
        first, second = invoice(account, "40"), invoice(account, "60")
        daily()
        held(first)
        approved()
        assert (open_of(first), open_of(second)) == ((D(40), D(0)), (D(0), D(60)))

    def test_leaves_out_what_is_being_paid(self):
        made = invoice()
        daily()
        pending(made, on=RIPE)
        approved()
        assert Placement.objects.get().state == "DECLINED"

    def test_stopped_half_way_is_done_whole_the_next_time(self, monkeypatch):
        made = invoice()
        daily()
        with monkeypatch.context() as patched:
            patched.setattr(placing, "audit_all", crash)
            patched.setattr("invoicing.collections.sweeping.logger.exception", lambda *_: None)
            assert len(approved().failed) == 1
        assert (open_of(made), PlacementBatch.objects.count()) == ((D(100), D(0)), 0)
        approved()
        assert (open_of(made), PlacementBatch.objects.count()) == ((D(0), D(100)), 1)

    def test_takes_a_constant_number_of_statements_a_page(self):
        invoice()
        propose(on=RIPE, now=NOW, actor=schedule())
        with statements() as few:
            approved()
        for _ in range(6):
            account = customer()
            invoice(account), invoice(account)
        propose(on=RIPE, now=NOW, actor=schedule())
        with statements() as many:
            approved()
        assert len(many) == len(few)


def crash(*_, **__):
    raise RuntimeError("killed here")


@pytest.mark.django_db
class TestDeclinePlacement:
    def given(self, **values):
        placement = Placement.objects.get()
        asked = {"until_on": RIPE, "why": "They call tomorrow.", "actor": MIA, "now": NOW, "today": RIPE}
        return decline_placement(placement=placement, **(asked | values))

    def test_exempts_the_account_so_that_it_is_not_proposed_tomorrow(self):
        invoice()
        daily()
        assert self.given().state == "DECLINED"
        daily()
        assert Placement.objects.count() == 1
        daily(RIPE + timedelta(days=1))
        assert Placement.objects.filter(state="PROPOSED").count() == 1

    def test_is_refused_without_right_reason_or_day(self):
        invoice()
        daily()
        with pytest.raises(NotPermitted):
            self.given(actor=NOBODY)
        with pytest.raises(BadValue):
            self.given(why="")
        with pytest.raises(BadValue):
            self.given(until_on=RIPE - timedelta(days=1))

    def test_comes_too_late_once_it_is_handed_over(self):
        handed()
        with pytest.raises(NotPossibleNow):
            self.given()


@pytest.mark.django_db
class TestFollowUp:
    """COLL-1: money that arrives later is reported to the agency."""

    def test_records_a_payment_once_and_closes_what_is_settled(self):
        made, one = handed()
        pay(made, "40", on=RIPE)
        follow(), follow()
        assert records(one) == [("PAYMENT", D(40))]
        pay(made, on=RIPE)
        follow(), follow()
        one.refresh_from_db()
        assert records(one) == [("PAYMENT", D(40)), ("PAYMENT", D(60))]
        assert one.state == "CLOSED"

    def test_records_a_credit_note_as_a_credit(self):
        made, one = handed()
        credit_invoice(
            invoice=made, actor=CLERK, now=at(RIPE), reason="Not ordered.", amounts={made.lines.get().pk: D(30)}
        )
        follow()
        assert records(one) == [("CREDIT", D(30))]
        assert open_of(made) == (D(0), D(70))

    def test_records_money_that_went_back_as_less(self):
        made, one = handed()
        payment = pay(made, "40", on=RIPE)
        follow()
        take_back(payment, made, actor=CLERK, now=at(RIPE), why="Returned.")
        follow()
        assert records(one) == [("PAYMENT", D(40)), ("PAYMENT", D(-40))]
        assert recorded_of(one) == 0

    @pytest.mark.parametrize("kind", ["DISPUTE", "PROMISE", "EXEMPTION", "OTHER"])
    def test_recalls_what_is_held_or_disputed_later(self, kind):
        made, one = handed()
        held(made, kind)
        follow(), follow()
        one.refresh_from_db()
        assert (one.state, open_of(made), records(one)) == ("RECALLED", (D(100), D(0)), [("RECALL", D(100))])

    @pytest.mark.parametrize("kind", ["DISPUTE", "PROMISE", "OTHER"])
    def test_is_not_waited_for_by_a_hold(self, kind):
        made, one = handed()
        pay(made, "40", on=RIPE)
        held(made, kind)
        one.refresh_from_db()
        assert (one.state, open_of(made)) == ("RECALLED", (D(60), D(0)))
        assert records(one) == [("PAYMENT", D(40)), ("RECALL", D(60))]

    def test_leaves_with_the_agency_what_a_hold_of_another_invoice_does_not_hold(self):
        made, one = handed()
        held(invoice(made.account, "5"))
        follow()
        one.refresh_from_db()
        assert (one.state, open_of(made)) == ("PLACED", (D(0), D(100)))

    def test_places_it_again_when_the_hold_is_over(self):
        made, one = handed()
        promise_to_pay(account=made.account, until_on=RIPE, why="Friday.", actor=MIA, now=NOW, today=RIPE)
        follow()
        daily(RIPE + timedelta(days=1))
        approved(RIPE + timedelta(days=1))
        again = Placement.objects.get(state="PLACED")
        pay(made, "10", on=RIPE + timedelta(days=1))
        follow(RIPE + timedelta(days=1))
        assert records(again) == [("PAYMENT", D(10))]
        assert records(one) == [("RECALL", D(100))]

    def test_tells_the_agency_by_rows_of_its_own(self):
        made, one = handed()
        pay(made, "40", on=RIPE)
        follow()
        assert update_rows(RIPE, seller=seller()) == [
            [one.pk, made.account.number, "USD", RIPE, "Paid to us", D("40.00"), ""]
        ]
        assert update_rows(RIPE + timedelta(days=1), seller=seller()) == []

    def test_tells_the_agency_of_money_that_is_booked_under_an_earlier_day(self, documents_root):
        made, one = handed()
        pay(made, "40", on=RIPE - timedelta(days=3))
        daily()
        said = (documents_root / f"placements/2026-03/updates-{seller().pk}-{RIPE}.csv").read_text()
        assert f"{one.pk},{made.account.number},USD,2026-03-28,Paid to us,40.00," in said

    def test_tells_the_agency_the_next_day_of_what_came_after_the_last_tick(self, documents_root):
        _, one = handed()
        assert daily().done["updates"] == 0
        recall_placement(placement=one, why="A mistake.", actor=MIA, now=at(RIPE))
        assert daily(RIPE + timedelta(days=1)).done["updates"] == 1
        assert daily(RIPE + timedelta(days=1)).done["updates"] == 0
        assert (documents_root / f"placements/2026-03/updates-{seller().pk}-{RIPE}.csv").is_file()

    def test_takes_a_constant_number_of_statements_a_page(self):
        pay(handed()[0], "10", on=RIPE)
        with statements() as few:
            follow()
        for made in [handed()[0] for _ in range(5)]:
            pay(made, "10", on=RIPE)
        with statements() as many:
            follow()
        assert len(many) == len(few)


@pytest.mark.django_db
class TestRecallPlacement:
    def test_makes_the_rest_receivable_again(self):
        made, one = handed()
        pay(made, "40", on=RIPE)
        one = recall_placement(placement=one, why="A mistake.", actor=MIA, now=at(RIPE))
        assert one.state == "RECALLED"
        assert open_of(made) == (D(60), D(0))
        assert records(one) == [("PAYMENT", D(40)), ("RECALL", D(60))]

    def test_is_done_once_by_who_may(self):
        _, one = handed()
        with pytest.raises(NotPermitted):
            recall_placement(placement=one, why="A mistake.", actor=NOBODY, now=NOW)
        with pytest.raises(BadValue):
            recall_placement(placement=one, why=" ", actor=MIA, now=NOW)
        recall_placement(placement=one, why="A mistake.", actor=MIA, now=NOW)
        with pytest.raises(NotPossibleNow):
            recall_placement(placement=one, why="A mistake.", actor=MIA, now=NOW)


@pytest.mark.django_db
class TestWriteBatches:
    def rows(self, root) -> list[dict[str, str]]:
        batch = PlacementBatch.objects.get()
        text = (root / batch.path).read_bytes()
        assert hashlib.sha256(text).hexdigest() == batch.sha256
        return list(csv.DictReader(StringIO(text.decode("utf-8-sig"))))

    def test_says_what_was_owed_then_and_what_came_since(self, documents_root):
        account = customer(name="Acme", phone="+1 212 555 0100")
        make_contact(account, "Ann Primary", Role.PRIMARY)
        old = invoice(account, "100", issued_on=date(2026, 1, 1), due_on=date(2026, 1, 31))
        pay(old, "10", on=date(2026, 1, 15))
        new, _ = invoice(account, "50"), None
        pay(old, "20", on=date(2026, 2, 20))
        credit_invoice(
            invoice=new, actor=CLERK, now=at(date(2026, 3, 5)), reason="Not ordered.",
            amounts={new.lines.get().pk: D(5)},
        )  # fmt: skip
        money(account, "15", on=date(2026, 3, 6))
        daily(), approved(), write_batches(now=NOW)
        row = self.rows(documents_root)[0]
        named = {name: row[name] for name in HEADER[7:19]} | {"debtor": row["debtor"], "disputed": row["disputed"]}
        assert named == {
            "itemization date": "2026-02-01", "itemization date kind": "last statement date (invoice)",
            "amount on itemization date": "140.00", "interest since": "0.00", "fees since": "0.00",
            "payments since": "20.00", "credits since": "20.00", "amount now": "100.00",
            "invoices": f"{old.number}; {new.number}", "oldest due date": "2026-01-31",
            "last payment date": "2026-03-06", "last payment amount": "15.00", "debtor": "Acme", "disputed": "no",
        }  # fmt: skip
        assert row["contacts"].startswith("Ann Primary <ann.primary@")

    def test_names_those_who_may_know_of_the_debt_and_nobody_else(self, documents_root):
        """AUTH-4."""
        account, contacts = account_with_contacts()
        BillingProfile.objects.create(account=account, seller=seller(), terms=terms("hosted-direct"), currency="USD")
        handed(account)
        write_batches(now=NOW)
        told = [one.partition(" <")[0] for one in self.rows(documents_root)[0]["contacts"].split("; ")]
        assert told == [contacts[role].name for role in ("PRIMARY", "PRIMARY_BILLING", "BILLING")]

    def test_says_what_was_in_dispute_when_it_was_handed_over(self, documents_root, monkeypatch):
        """Written after a crash, it says the same: what was disputed since is told by a recall."""
        disputes, other = customer(), customer()
        place_hold(
            account=disputes, invoice=invoice(disputes, due_on=RIPE), kind="DISPUTE", why="Asked.", actor=MIA,
            now=at(DUE), today=DUE,
        )  # fmt: skip
        invoice(disputes), invoice(other)
        propose(on=RIPE, now=at(RIPE), actor=schedule())
        approved()
        later = at(RIPE) + timedelta(hours=1)
        place_hold(account=other, kind="DISPUTE", why="Asked.", actor=MIA, now=later, today=RIPE)
        write_batches(now=later)
        assert {row["account"]: row["disputed"] for row in self.rows(documents_root)} == {
            disputes.number: "yes", other.number: "no",
        }  # fmt: skip

    def test_writes_each_batch_once(self, documents_root):
        made, _ = handed()
        assert len(write_batches(now=NOW)) == 1
        before = (documents_root / PlacementBatch.objects.get().path).read_bytes()
        pay(made, on=RIPE)
        assert write_batches(now=NOW) == []
        assert (documents_root / PlacementBatch.objects.get().path).read_bytes() == before

    def test_says_the_same_when_a_crash_had_it_written_again(self, documents_root, monkeypatch):
        made, _ = handed()
        rows = batch_rows(PlacementBatch.objects.get())
        with monkeypatch.context() as patched:
            patched.setattr(PlacementBatch, "save", crash)
            with pytest.raises(RuntimeError):
                write_batches(now=NOW)
        pay(made, "40", on=RIPE + timedelta(days=1))
        write_batches(now=NOW)
        assert batch_rows(PlacementBatch.objects.get()) == rows
        assert self.rows(documents_root)[0]["amount now"] == "100.00"

    def test_leaves_a_large_one_to_the_tick_where_somebody_waits(self):
        handed(), handed()
        assert write_batches(now=NOW, most_rows=0) == []
        assert len(write_batches(now=NOW)) == 2

    def test_holds_no_formula(self, documents_root):
        """OTRS: formulas in CSV exports."""
        handed(customer(name='=HYPERLINK("http://evil.example")'))
        write_batches(now=NOW)
        assert self.rows(documents_root)[0]["debtor"].startswith("'=")
        path = documents_root / PlacementBatch.objects.get().path
        sheet = openpyxl.load_workbook(path.with_suffix(".xlsx")).active
        assert sheet.cell(2, 3).data_type == "s"
        assert sheet.cell(2, 15).value == 100

    def test_lays_the_invoices_beside_it_and_says_what_is_missing(self, documents_root):
        drawn, _ = handed()
        render_pending(limit=10, now=NOW)
        write_batches(now=NOW)
        folder = (documents_root / PlacementBatch.objects.get().path).parent
        assert (folder / "invoices" / f"{drawn.number}.pdf").read_bytes().startswith(b"%PDF")
        assert not (folder / "missing.txt").exists()
        sums = (folder / "SHA256SUMS").read_text().splitlines()
        assert len(sums) == 4
        statement = folder / "statements" / f"{drawn.account.number}-{RIPE}.pdf"
        text = "".join(page.extract_text() for page in PdfReader(statement).pages)
        assert f"Invoice {drawn.number}" in text
        assert "Of the closing balance, USD 100.00 is with our collections agency (COLL-1)." in " ".join(text.split())
        (folder / "missing.txt").write_text("an attempt before the crash")
        PlacementBatch.objects.update(written_at=None)
        write_batches(now=NOW)
        assert not (folder / "missing.txt").exists()
        undrawn, _ = handed()
        write_batches(now=NOW)
        folder = (documents_root / PlacementBatch.objects.latest("pk").path).parent
        assert (folder / "missing.txt").read_text() == f"invoices/{undrawn.number}.pdf\n"

    def test_refuses_to_write_what_was_not_handed_over_and_writes_the_others(self, monkeypatch):
        monkeypatch.setattr(batch_files.logger, "exception", lambda *_: None)
        handed()
        PlacementBatch.objects.update(totals={"USD": "99.00"})
        handed()
        with pytest.raises(batch_files.BatchDiffers):
            write_batches(now=NOW)
        assert list(PlacementBatch.objects.order_by("pk").values_list("sha256", flat=True))[0] == ""
        assert PlacementBatch.objects.exclude(sha256="").count() == 1


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_eight_jobs_propose_and_hand_over_once(self):
        terms("hosted-direct", collections_approval="AUTOMATIC")
        made = [invoice() for _ in range(4)]
        results = at_once([daily] * 8)
        assert failures(results) == []
        assert [result.failed for result in results] == [[]] * 8
        assert [open_of(one) for one in made] == [(D(0), D(100))] * 4
        assert Placement.objects.count() == LedgerEntry.objects.filter(kind="PLACEMENT").count() == 4

    def test_eight_follow_ups_record_once(self):
        made, one = handed()
        pay(made, "40", on=RIPE)
        results = at_once([follow] * 8)
        assert failures(results) == []
        assert [result.failed for result in results] == [[]] * 8
        assert PlacementRecord.objects.filter(placement=one).count() == 1
