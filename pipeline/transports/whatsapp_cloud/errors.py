"""What Meta's error codes mean, by number and never by text (Cloud API error codes reference)."""

from pipeline.policies.errors import (
    AccountError,
    Code,
    CredentialsError,
    PermanentError,
    PipelineError,
    RateLimitedError,
    RecipientError,
    RecipientLimitedError,
    RequestError,
    TransientError,
    UnknownError,
    WindowError,
)
from pipeline.transports.http_client import GATEWAY

TRANSIENT = {1, 2, 131000, 131016, 131057}
RATE = {4, 80007, 130429}
PAIR_RATE = {131056}
RECIPIENT = {131026, 131021, 131049, 131050, 130403, 130472}
WINDOW = {131047}
CREDENTIALS = {0, 3, 10, 190, 131005, *range(200, 300)}
ACCOUNT = {368, 131031, 131042, 131045, 131048, 130497}

PERMANENT: tuple[tuple[set[int], type[PermanentError], Code], ...] = (
    (WINDOW, WindowError, Code.SEND_WINDOW),
    (RECIPIENT, RecipientError, Code.SEND_RECIPIENT),
    (CREDENTIALS, CredentialsError, Code.SEND_CREDENTIALS),
    (ACCOUNT, AccountError, Code.SEND_ACCOUNT),
)


def classify(code: int | None, status: int, detail: str, retry_after_s: float | None) -> PipelineError:
    """The error that Meta's `code` and HTTP `status` stand for. An answer of error means: not accepted.

    A gateway's error is none of Meta's answers: what became of the message behind the gateway, it does not know.
    """
    story = f"{code if code is not None else f'HTTP {status}'}: {detail}"
    if code is None and status in GATEWAY:
        return UnknownError(Code.SEND_UNANSWERED, story)
    if code in PAIR_RATE:
        return RecipientLimitedError(Code.SEND_RATE_LIMITED, story, retry_after_s=retry_after_s)
    if code in RATE or (code is None and status == 429):
        return RateLimitedError(Code.SEND_RATE_LIMITED, story, retry_after_s=retry_after_s)
    for codes, kind, ours in PERMANENT:
        if code in codes:
            return kind(ours, story)
    if code in TRANSIENT or status >= 500:
        return TransientError(Code.SEND_SERVER, story)
    if code is None and status in (401, 403):
        return CredentialsError(Code.SEND_CREDENTIALS, story)
    return RequestError(Code.SEND_REQUEST, story)
