"""How HTTP requests cross from the event loop into synchronous Django: once, and into a thread that lives on.

Django's own handler makes a new thread for every request, and crosses over and back for each middleware, for each of
the signals around a request, and to close the response: until then it keeps its database connection from others, who
wait for it while it waits for the event loop. All our middleware and views are synchronous, so that only costs.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

KEPT_THREADS = 20
"""As many as the database's pool has connections; beyond them a thread ends with its request."""


class OneThreadHandler(ASGIHandler):
    """Middleware, view and the signals around them run in one thread, as they do under WSGI."""

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[ThreadPoolExecutor] = []

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await super().__call__(scope, receive, send)
        finally:
            self._give_back(thread)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body):
            set_script_prefix(get_script_prefix(scope))
            response: Any
            request, response = self.create_request(scope, body)
            if request is not None:
                response = await sync_to_async(self._respond)(scope, request)
            if response.streaming:
                await self._stream(response, receive, send)
            else:
                await self.send_response(response, send)

    def _respond(self, scope: Any, request: HttpRequest) -> HttpResponseBase:
        """A response that is made is closed, which gives the database connection back, before it is sent."""
        signals.request_started.send(sender=type(self), scope=scope)
        response = self.get_response(request)
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()
        return response

    async def _stream(self, response: HttpResponseBase, receive: Any, send: Any) -> None:
        """Until all is sent, or the client has left: of that alone a request tells after its body."""
        sending = asyncio.ensure_future(self.send_response(response, send))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.wait((sending, leaving))
            await sync_to_async(response.close)()

    def _give_back(self, thread: ThreadPoolExecutor) -> None:
        if len(self._idle) < KEPT_THREADS:
            self._idle.append(thread)
        else:
            thread.shutdown(wait=False)
