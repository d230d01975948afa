"""What the agent itself says to contacts, in the agent's language. (Staff's pages are translated by gettext.)"""

from enum import StrEnum


class Text(StrEnum):
    HELP = "help"
    RESET = "reset"
    USAGE = "usage"
    RATE_LIMITED = "rate_limited"


_TEXTS = {
    "en": {
        Text.HELP: "Write to me in your own words. I also know: /help, /reset (forget this session) and /usage.",
        Text.RESET: "Done: I have forgotten this session. How can I help?",
        Text.USAGE: "This session so far: {turns} answers, {tokens} tokens.",
        Text.RATE_LIMITED: "That was a lot at once. Give me a minute, then write again.",
    },
    "pt-br": {
        Text.HELP: "Escreva com as suas palavras. Também conheço: /help, /reset (esquecer esta sessão) e /usage.",
        Text.RESET: "Pronto: esqueci esta sessão. Como posso ajudar?",
        Text.USAGE: "Esta sessão até agora: {turns} respostas, {tokens} tokens.",
        Text.RATE_LIMITED: "Foram muitas mensagens de uma vez. Espere um minuto e escreva de novo.",
    },
    "es": {
        Text.HELP: "Escríbame con sus palabras. También conozco: /help, /reset (olvidar esta sesión) y /usage.",
        Text.RESET: "Listo: he olvidado esta sesión. ¿En qué puedo ayudar?",
        Text.USAGE: "Esta sesión hasta ahora: {turns} respuestas, {tokens} tokens.",
        Text.RATE_LIMITED: "Fueron muchos mensajes a la vez. Espere un minuto y escriba de nuevo.",
    },
}


def translate(text: Text, language: str) -> str:
    return _TEXTS.get(language, _TEXTS["en"])[text]
