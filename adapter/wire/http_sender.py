"""The sending side over HTTP, in a file of its own: the service never needs it, and its library is slow to load."""

import asyncio
import gzip
import itertools
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable

import httpx

from adapter.wire.sender import NO_ANSWER, Delivery, acknowledgement_code

MEDIA_TYPE = "application/hl7-v2; charset=utf-8"


async def send_http(  # noqa: PLR0913 - the address and how to send, all named by the caller
    messages: Iterable[bytes],
    url: str,
    *,
    window: int = 1,
    seconds: float = 30.0,
    packed: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Delivery]:
    """Post each message to `url`, at most `window` at a time, and yield what became of each, in order.

    `packed` sends gzip. Raises OSError when the receiver cannot be reached.
    """
    left = iter(messages)
    headers = {"Content-Type": MEDIA_TYPE, **({"Content-Encoding": "gzip"} if packed else {})}
    async with httpx.AsyncClient(timeout=seconds, headers=headers, verify=tls or True) as client:
        posts = deque(asyncio.create_task(_post(client, url, message)) for message in itertools.islice(left, window))
        try:
            while posts:
                delivery = await posts.popleft()
                posts.extend(asyncio.create_task(_post(client, url, message)) for message in itertools.islice(left, 1))
                yield delivery
        finally:
            for post in posts:
                post.cancel()


async def _post(client: httpx.AsyncClient, url: str, message: bytes) -> Delivery:
    begun = asyncio.get_running_loop().time()
    answer, failure = b"", ""
    try:
        content = gzip.compress(message) if "Content-Encoding" in client.headers else message
        response = await client.post(url, content=content)
    except httpx.ConnectError as error:
        raise ConnectionRefusedError(str(error)) from error
    except httpx.TimeoutException:
        failure = NO_ANSWER
    except httpx.TransportError:
        failure = "connection closed without an answer"
    else:
        answer, failure = response.content, "" if response.is_success else f"HTTP {response.status_code}"
    seconds = asyncio.get_running_loop().time() - begun
    return Delivery(message, acknowledgement_code(answer), answer, seconds, failure)
