"""Why a webhook is turned away, beside a bad signature and a malformed body."""


class UnknownChannelError(Exception):
    """No active channel of this kind has this slug."""


class BodyTooLargeError(Exception):
    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than {limit_bytes} bytes.")


class IntakePausedError(Exception):
    """A switch pauses intake here; nothing of the POST was recorded."""

    def __init__(self) -> None:
        super().__init__("Intake is switched off for now. Nothing was recorded: please send again.")


class SubscriptionRefusedError(Exception):
    """The verify token is not this channel's."""
