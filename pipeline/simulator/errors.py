"""InputError tells what to send instead; PlatformError carries a platform's own error body."""

from aiohttp import web


class InputError(Exception):
    """Input that cannot be followed; the message says what to send instead."""


class PlatformError(Exception):
    """The platform refuses the call, and this is how it says so."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response
