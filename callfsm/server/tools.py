"""The business's functions: JSON goes to a webhook of the operator's, and what comes back is told to the model."""

import json
from typing import Final

import aiohttp

from callfsm.config import Tool

MAX_ANSWER_BYTES: Final = 16 * 2**10
"""What a model is told must fit into its mind."""


class ToolFailedError(Exception):
    """A function did not do what it should. The argument says why, in words for the model and for the log."""


async def _text_of(answer: aiohttp.ClientResponse) -> str:
    """Return the answer's text, or a little more than may be told of it."""
    text = b""
    async for chunk in answer.content.iter_any():
        text += chunk
        if len(text) > MAX_ANSWER_BYTES:
            break
    return text.decode()


async def ask(http: aiohttp.ClientSession, tool: Tool, call_sid: str, arguments: str) -> str:
    """Post the arguments and return the answer's text; raise ToolFailedError where there is none to be told.

    The webhook gets `{"name", "call_sid", "arguments"}`.
    """
    try:
        values = json.loads(arguments)
    except (ValueError, RecursionError):
        raise ToolFailedError("the arguments are not JSON") from None
    body = {"name": tool.name, "call_sid": call_sid, "arguments": values}
    timeout = aiohttp.ClientTimeout(total=tool.timeout_s)
    try:
        async with http.post(tool.url, json=body, timeout=timeout, allow_redirects=False) as answer:
            text = await _text_of(answer)
            if answer.status >= 300:
                raise ToolFailedError(f"the function answered with status {answer.status}")
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise ToolFailedError("the function could not be reached in time") from None
    except UnicodeDecodeError:
        raise ToolFailedError("the function did not answer with text") from None
    if len(text) > MAX_ANSWER_BYTES:
        raise ToolFailedError("the function answered with too much")
    return text
