"""What WAHA's refusals mean, by status: it has no error codes."""

from pipeline.policies.errors import (
    AccountError,
    Code,
    CredentialsError,
    PipelineError,
    RateLimitedError,
    RequestError,
    TransientError,
    UnknownError,
)

UNCLEAR = {500, 502, 504}
"""WAHA drives a browser: an error inside it, or a gateway's, may come after the message went out."""


def classify(
    status: int, detail: str, *, session_is_down: bool, retry_after_s: float | None
) -> PipelineError:
    """`session_is_down`: the answer names the state that it expects of the session; WAHA has not tried to send."""
    story = f"HTTP {status}: {detail}"
    if status in UNCLEAR:
        return UnknownError(Code.SEND_UNANSWERED, story)
    if status == 429:
        return RateLimitedError(Code.SEND_RATE_LIMITED, story, retry_after_s=retry_after_s)
    if status > 500 or session_is_down:
        return TransientError(Code.SEND_SERVER, story)
    if status in (401, 403):
        return CredentialsError(Code.SEND_CREDENTIALS, story)
    if status == 404:
        return AccountError(Code.SEND_ACCOUNT, f"There is no such session, or WAHA is not there. {story}")
    return RequestError(Code.SEND_REQUEST, story)
