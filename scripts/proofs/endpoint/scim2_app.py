"""scim2-server behind waitress: its own command serves one request per connection, which would measure connections instead of it."""

import contextlib
import sys

import waitress
from scim2_server.testserver import cli


class Served:
    """What the command asks of a server."""

    def __init__(self, host: str, port: int, application):
        self.host, self.port, self.application = host, port, application

    def serve_forever(self) -> None:
        """As many threads as callers; more would only wait for the interpreter."""
        waitress.serve(self.application, host=self.host, port=self.port, threads=8, connection_limit=200, _quiet=True)


@contextlib.contextmanager
def make_server(host, port, application, server_class=None):
    """Takes the place of the one of wsgiref."""
    yield Served(host, port, application)


cli.make_server = make_server
sys.exit(cli.main())
