"""Why a control is not set, lifted or approved. The text is for people, the code for scripts."""


class ControlError(Exception):
    """Nothing was changed."""

    code = "refused"


class NotAllowedError(ControlError):
    """Whoever asks has not the right, or not for this tenant."""

    code = "not_allowed"


class NotFoundError(ControlError):
    code = "not_found"


class InvalidError(ControlError):
    """What was asked for does not exist or does not fit together."""

    code = "invalid"


class ConflictError(ControlError):
    """It is so already, or was changed by somebody else meanwhile."""

    code = "conflict"


class SecondPersonError(ControlError):
    """It needs another person than the one who asked for it."""

    code = "second_person"
