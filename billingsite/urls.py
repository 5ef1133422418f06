from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from accounts.invitation_pages import invitation
from accounts.portal import home
from billingsite.health import health
from invoicing.payments.gateways.demo_page import demo_method_page
from invoicing.payments.webhooks import webhook
from invoicing.prepaid.api import UsageEvents
from invoicing.reports.pages import report_urls

# Staff sign in where everybody does: there are the rate limits and the second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path("", home, name="home"),
    path("my/", include("billingsite.my_urls")),
    *report_urls(admin.site.admin_view),
    path("admin/", admin.site.urls),
    path("accounts/invitation/<str:token>/", invitation, name="invitation"),
    path("accounts/", include("allauth.urls")),
    path("api/v1/usage-events", UsageEvents.as_view(), name="usage_events"),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("health/", health, name="health"),
    path("demo-gateway/<slug:session>/", demo_method_page, name="demo_method_page"),
    path("webhooks/<slug:gateway_name>/", webhook, name="webhook"),
]
