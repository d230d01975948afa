from tests import factories


def test_all(reviewer):
    for kind in ("reply_approval", "tool_approval", "failed_turn", "unknown_send", "person_asked", "policy"):
        more = (
            {"proposal": {"tool": "offer_voucher", "arguments": {"order_id": "1", "amount": 50}}}
            if kind == "tool_approval"
            else {}
        )
        item = factories.review_item(kind=kind, **more)
        page = reviewer.get(f"/review/items/{item.pk}/")
        assert page.status_code == 200
    assert reviewer.get("/review/").status_code == 200
    assert reviewer.get("/review/?tab=done").status_code == 200
    assert reviewer.get("/review/items/rows/").status_code == 200
    assert reviewer.get("/review/conversations/").status_code == 200
