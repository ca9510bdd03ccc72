"""What an application with Debian's python3-sentry-sdk does; SENTRY_DSN stands in the environment."""
import logging

import sentry_sdk

sentry_sdk.init(release="shop@1.4.2+7", environment="staging", server_name="web-1", traces_sample_rate=1.0, send_default_pii=True,
                attach_stacktrace=True, auto_session_tracking=True)
sentry_sdk.set_user({"id": "u_17", "username": "ann", "email": "ann@example.org", "ip_address": "192.0.2.7"})
sentry_sdk.set_tag("customer", "acme")


class PriceError(Exception):
    """An order has no price."""


def read_price(prices, order):
    password = "hunter2"
    return prices[order] if password else None


def total(order):
    try:
        return read_price({}, order)
    except KeyError as cause:
        raise PriceError(f"no price for order {order}") from cause


sentry_sdk.add_breadcrumb(category="cart", message="added 3 items", level="info", data={"items": 3, "api_key": "do-not-keep"})
try:
    total(4711)
except PriceError:
    sentry_sdk.capture_exception()
sentry_sdk.capture_message("stock is low: 3 left", level="warning")
logging.getLogger("shop.stock").error("cannot reach %s at %s", "warehouse", "192.0.2.80", extra={"token": "do-not-keep"})
with sentry_sdk.push_scope() as scope:
    scope.fingerprint = ["checkout", "{{ default }}"]
    scope.add_attachment(bytes=b"\x00\n\xff\n\x00", filename="order.bin")
    sentry_sdk.capture_exception(ValueError("checkout failed after 250 ms"))
with sentry_sdk.start_transaction(op="task", name="nightly"):
    with sentry_sdk.start_span(op="db", description="SELECT price"):
        pass
hub = sentry_sdk.Hub.current
hub.start_session()
hub.end_session()
hub.client.flush(timeout=5.0)
hub.client.close(timeout=5.0)
