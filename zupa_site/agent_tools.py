"""The demo shop's tools. Data is made up from the order number: the same question has the same answer."""

import hashlib
import re

from pipeline.agents import tool

ORDER_ID = re.compile(r"#?[A-Z]{0,4}-?\d{1,10}")
STATES = (
    "is being packed and leaves the shop tomorrow",
    "is on its way and arrives in two days",
    "is out for delivery and arrives today before 8 pm",
    "was delivered yesterday at 2 pm",
    "waits for the payment to be confirmed",
)


@tool(timeout_s=12, idempotent=True)
def order_status(order_id: str) -> str:
    """Where an order is now. Ask the customer for the order number first."""
    known = _known_order(order_id)
    if known is None:
        return _no_such_order(order_id)
    return f"Order {known} {STATES[_digest(known) % len(STATES)]}."


@tool(timeout_s=12, idempotent=True)
def opening_hours() -> str:
    """When the shop is open."""
    return "We are open Monday to Friday from 9 am to 6 pm and Saturday from 9 am to 1 pm, São Paulo time."


@tool(timeout_s=12, idempotent=False)
def request_refund(order_id: str, reason: str) -> str:
    """Ask the shop to refund an order. Call it once, and only when the customer asked for a refund."""
    known = _known_order(order_id)
    if known is None:
        return _no_such_order(order_id)
    return f"A refund of order {known} has been requested; the shop answers within two working days."


@tool(timeout_s=12, idempotent=False, requires_approval=True)
def offer_voucher(order_id: str, amount: int) -> str:
    """Offer the customer a voucher, in reais, for trouble with an order. A person approves it first."""
    known = _known_order(order_id)
    if known is None:
        return _no_such_order(order_id)
    return f"A voucher of R$ {amount} for order {known} has been issued: ZUPA-{_digest(known) % 10_000:04d}."


@tool(timeout_s=12, idempotent=True, calls_person=True)
def talk_to_a_person(reason: str) -> str:
    """Call a person of the team, when the customer asks for one or you cannot help."""
    return "A person of our team has been called and will read this conversation."


def _known_order(order_id: str) -> str | None:
    """The number as the shop writes it. Nought is nobody's order."""
    wanted = order_id.strip().upper()
    if not ORDER_ID.fullmatch(wanted) or not wanted.strip("#0"):
        return None
    return wanted.removeprefix("#")


def _no_such_order(order_id: str) -> str:
    return f"There is no order with the number {order_id.strip()[:40]!r}. Please check the number."


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
