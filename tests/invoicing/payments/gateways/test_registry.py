"""Which gateway answers to which name, and what is said where none does."""

import pytest

from invoicing.payments.gateways.registry import (
    NoSuchGateway,
    demo_gateway,
    gateway,
    gateway_for_new_methods,
    installed,
)
from tests.invoicing.payments.gateways.demo_gateways import charge_request, make_gateway


class TestGateway:
    def test_is_the_demo_on_a_demonstration_site_only(self, settings, tmp_path):
        settings.DEMO_GATEWAY_FILE = tmp_path / "demo.sqlite3"
        with pytest.raises(NoSuchGateway, match="demonstration site only"):
            gateway("demo")

        settings.DEMO = True

        assert gateway("demo") is demo_gateway()
        assert gateway("demo").charge(charge_request()).reference.startswith("pi_demo")
        assert settings.DEMO_GATEWAY_FILE.exists()
        demo_gateway().state.close()

    @pytest.mark.parametrize(
        ("secret", "webhook_secret", "missing"),
        [
            ("", "", "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET,"),
            ("sk", "", "set STRIPE_WEBHOOK_SECRET,"),
            ("", "whsec", "set STRIPE_SECRET_KEY,"),
        ],
    )
    def test_is_stripe_when_both_its_secrets_are_set(self, settings, secret, webhook_secret, missing):
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = secret, webhook_secret

        with pytest.raises(NoSuchGateway, match=missing):
            gateway("stripe")

        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_x", "whsec_x"
        assert gateway("stripe").name == "stripe"
        assert gateway("stripe") is gateway("stripe")

    @pytest.mark.parametrize(
        ("name", "said"), [("", "set PAYMENT_GATEWAY"), ("MANUAL", "There is no payment gateway called “MANUAL”")]
    )
    def test_is_none_other(self, name, said):
        with pytest.raises(NoSuchGateway, match=said):
            gateway(name)

    def test_for_new_methods_is_the_one_of_the_settings(self, settings):
        settings.PAYMENT_GATEWAY = "demo"

        with installed(make_gateway()) as made:
            assert gateway_for_new_methods() is made


class TestInstalled:
    def test_answers_for_a_while(self):
        with installed(make_gateway()) as outer:
            with installed(make_gateway()) as inner:
                assert gateway("demo") is inner
            assert gateway("demo") is outer
        with pytest.raises(NoSuchGateway):
            gateway("demo")
