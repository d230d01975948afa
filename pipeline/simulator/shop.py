"""What the model knows of the demo shop: the questions it recognises, the tool for each, and its wording."""

import json
import re
import unicodedata
from dataclasses import dataclass

from pipeline.simulator.conversation import Turn

ORDER_NUMBER = re.compile(r"#(\d+)\b|(?<!\w)([A-Za-z]{1,4}-?\d{3,}|\d{3,8})(?!\w)")
PORTUGUESE = re.compile(
    r"\b(ola|oi|bom dia|boa (?:tarde|noite)|obrigad[oa]|voces?|nao|quero|meu|minha|pedido|onde|esta|horario|"
    r"reembolso|estorno|falar|pessoa|atendente|entrega|qual|quais|quando|como|por favor|loja)\b"
)
QUESTIONS = {
    "talk_to_a_person": re.compile(
        r"\b(?:talk|speak|chat) (?:to|with) (?:an? |some)?(?:real |human )?(?:person|human|one|agent)\b|"
        r"\bhuman agent\b|\bfalar com (?:uma? )?(?:pessoa|humano|atendente|alguem)\b|\batendente humano\b"
    ),
    "offer_voucher": re.compile(r"\b(?:vouchers?|compensation|cupom|cupons|vale[- ]compras?|compensacao)\b"),
    "request_refund": re.compile(
        r"\b(?:refund\w*|money back|reembols\w*|estorn\w*|dinheiro de volta|devolucao)\b"
    ),
    "opening_hours": re.compile(
        r"\b(?:opening (?:hours|times)|business hours|are you open|do you (?:open|close)|horarios?|"
        r"que horas\b.*\b(?:abre\w*|fecha\w*)|voces (?:abrem|fecham))\b"
    ),
    "order_status": re.compile(
        r"\b(?:orders?|pedidos?|encomenda|compra|delivery|entrega|package|pacote|tracking|rastre\w*)\b"
    ),
}
NEEDS_ORDER = ("offer_voucher", "request_refund", "order_status")
VOUCHER_AMOUNT = 50


@dataclass(frozen=True, slots=True)
class Wording:
    about: str
    greeting: str
    which_order: str
    unavailable: str
    anew: str


ENGLISH = Wording(
    about="About “{text}”: {results}",
    greeting="You wrote: “{text}”. I can check an order, refund it, tell you our hours or call a person.",
    which_order="You wrote: “{text}”. What is the order number, please?",
    unavailable="You wrote: “{text}”. I cannot do that from here; our team will read your message.",
    anew="To put it differently: {reply}",
)
BRAZILIAN = Wording(
    about="Sobre “{text}”: {results}",
    greeting="Você escreveu: “{text}”. Posso ver pedidos, reembolsar, dizer o horário ou chamar uma pessoa.",
    which_order="Você escreveu: “{text}”. Qual é o número do pedido, por favor?",
    unavailable="Você escreveu: “{text}”. Não consigo fazer isso aqui; nossa equipe vai ler sua mensagem.",
    anew="Em outras palavras: {reply}",
)


@dataclass(frozen=True, slots=True)
class Question:
    tool: str
    order_id: str | None

    @property
    def lacks_order(self) -> bool:
        return self.tool in NEEDS_ORDER and self.order_id is None

    def arguments(self, text: str) -> str:
        """The tool's arguments as the model would write them."""
        values = {
            "order_status": {"order_id": self.order_id},
            "request_refund": {"order_id": self.order_id, "reason": text},
            "offer_voucher": {"order_id": self.order_id, "amount": VOUCHER_AMOUNT},
            "opening_hours": {},
            "talk_to_a_person": {"reason": text},
        }
        return json.dumps(values[self.tool], ensure_ascii=False)


def question(turn: Turn) -> Question | None:
    """The shop's question in this turn; a bare order number answers the question asked before it."""
    asked = _question_in(turn.text)
    if asked or not turn.earlier or not ORDER_NUMBER.fullmatch(turn.text.strip()):
        return asked
    before = _question_in(turn.earlier[-1])
    if before is None or not before.lacks_order:
        return None
    return Question(before.tool, _order_number(turn.text))


def wording(text: str) -> Wording:
    return BRAZILIAN if PORTUGUESE.search(_plain(text)) else ENGLISH


def _question_in(text: str) -> Question | None:
    plain = _plain(text)
    for tool, pattern in QUESTIONS.items():
        if pattern.search(plain):
            return Question(tool, _order_number(text))
    return None


def _order_number(text: str) -> str | None:
    found = ORDER_NUMBER.search(text)
    return (found[1] or found[2]) if found else None


def _plain(text: str) -> str:
    """Lower case without accents, so that one pattern meets both spellings."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
