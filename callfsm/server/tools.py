"""The business's functions: JSON goes to a webhook of the operator's, and what comes back is told to the model."""

import json
from typing import Final

import aiohttp

from callfsm.config import Tool

MAX_ANSWER_BYTES: Final = 16 * 2**10
"""What a model is told must fit into its mind."""


def _failure(why: str) -> str:
    return json.dumps({"error": why})


async def _text_of(answer: aiohttp.ClientResponse) -> str:
    """Return the answer's text, or a little more than may be told of it."""
    text = b""
    async for chunk in answer.content.iter_any():
        text += chunk
        if len(text) > MAX_ANSWER_BYTES:
            break
    return text.decode()


async def ask(http: aiohttp.ClientSession, tool: Tool, call_sid: str, arguments: str) -> str:
    """Post the arguments and return the answer as JSON text; a failure is such a text, too, and never raises.

    The webhook gets `{"name", "call_sid", "arguments"}`.
    """
    try:
        values = json.loads(arguments)
    except ValueError:
        return _failure("the arguments are not JSON")
    body = {"name": tool.name, "call_sid": call_sid, "arguments": values}
    timeout = aiohttp.ClientTimeout(total=tool.timeout_s)
    try:
        async with http.post(tool.url, json=body, timeout=timeout, allow_redirects=False) as answer:
            text = await _text_of(answer)
            if answer.status >= 300:
                return _failure(f"the function answered with status {answer.status}")
    except (aiohttp.ClientError, OSError, TimeoutError):
        return _failure("the function could not be reached")
    except UnicodeDecodeError:
        return _failure("the function did not answer with text")
    return text if len(text) <= MAX_ANSWER_BYTES else _failure("the function answered with too much")
