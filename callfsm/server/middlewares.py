"""What a request must get past before its handler: whose page sent it, and to which name; the operator's token."""

from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from callfsm.server.security import bears, is_own_name, is_own_origin
from callfsm.server.shared import SERVER

OPEN_TO_ALL: Final = ("/livez", "/readyz")


def place_of(request: web.Request) -> str:
    """Return the route that a request is for. A path is the sender's own words and no part of our log."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "an unknown path"


def own_origin(*, public: bool) -> Middleware:
    """Return what refuses the requests of foreign web pages; neither Twilio nor a monitor sends an Origin."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        server = request.app[SERVER]
        signed_for = server.config.public_url if public and server.doorkeeper else ""
        host = URL(signed_for).authority if signed_for else request.host
        if not all(is_own_origin(origin, host) for origin in request.headers.getall(hdrs.ORIGIN, ())):
            server.refused("foreign_origin", place_of(request))
            raise web.HTTPForbidden(text="foreign_origin")
        return await handler(request)

    return check


def own_name(host: str) -> Middleware:
    """Return what refuses requests for another name than `host`: a page's that leads its own name to this machine.

    To its browser such a page is of our origin, and may send none. Where there is a token, the token decides.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        server = request.app[SERVER]
        names = request.headers.getall(hdrs.HOST, ())
        if not server.environment.admin_token and not all(is_own_name(name, host) for name in names):
            server.refused("foreign_host", place_of(request))
            raise web.HTTPForbidden(text="foreign_host")
        return await handler(request)

    return check


@web.middleware
async def operators_token(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse who does not bear the operator's token, where there is one; health is no secret."""
    server = request.app[SERVER]
    token = server.environment.admin_token
    if token and request.path not in OPEN_TO_ALL and not bears(token, request.headers):
        server.refused("admin_token", place_of(request))
        raise web.HTTPUnauthorized(text="admin_token", headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
    return await handler(request)
