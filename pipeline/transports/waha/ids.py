"""WAHA's ids: `{fromMe}_{chat}_{key}` names a message, `{number}@c.us` or `{number}@lid` a person's chat."""

PERSONAL = ("@c.us", "@lid")


def is_personal(chat: str) -> bool:
    """Not a group, a channel, or a status broadcast."""
    return chat.endswith(PERSONAL)


def key_of(message_id: str) -> str:
    """What names a message of ours everywhere: the same chat is `@c.us` in one place and `@lid` in another."""
    return _parts(message_id)[1]


def chat_of(message_id: str) -> str:
    """Empty where the id does not say."""
    return _parts(message_id)[0]


def _parts(message_id: str) -> tuple[str, str]:
    from_me, *rest = message_id.split("_", 2)
    if from_me not in ("true", "false") or len(rest) != 2:
        return "", message_id
    return rest[0], rest[1]
