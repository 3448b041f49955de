"""A client that sends requests as they are written and keeps its connection."""

import http.client
import json
import threading
import urllib.parse
from dataclasses import dataclass


@dataclass
class Answer:
    """What came back; `body` is the document, or nothing if there is none."""

    status: int
    headers: dict
    raw: bytes

    @property
    def body(self):
        return json.loads(self.raw) if self.raw.strip() else None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Wire:
    """Requests below a base URL, with a token; each thread has a connection of its own."""

    def __init__(self, base: str, token: str | None):
        parts = urllib.parse.urlsplit(base)
        self.host, self.port, self.prefix, self.token = parts.hostname, parts.port, parts.path, token
        self.local = threading.local()
        self.sent, self.broken = 0, 0
        self.lock = threading.Lock()

    def call(self, method: str, path: str, body=None, headers: dict | None = None, timeout: float = 60) -> Answer:
        """Sends one request. `body` is a document, or bytes that are sent as they are. A header of None is left out, one that is
        a list is sent once for each of its values."""
        own = {"Accept": "application/scim+json", "Authorization": f"Bearer {self.token}" if self.token else None}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            own["Content-Type"] = "application/scim+json"
        own.update(headers or {})
        sent = {name: value for name, value in own.items() if value is not None}
        for again in (False, True):
            connection = getattr(self.local, "connection", None) or http.client.HTTPConnection(self.host, self.port, timeout=timeout)
            fresh = connection.sock is None
            self.local.connection = connection
            try:
                connection.putrequest(method, self.prefix + path, skip_accept_encoding=True)
                for name, value in sent.items():
                    for each in value if isinstance(value, list) else [value]:
                        connection.putheader(name, each)
                if data is not None or method in ("POST", "PUT", "PATCH"):
                    connection.putheader("Content-Length", str(len(data or b"")))
                connection.endheaders(data)
                answer = connection.getresponse()
                found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                self.local.connection = None
                # A connection that was kept may have been closed meanwhile; a new one says what is true.
                if again or fresh:
                    raise
        with self.lock:
            self.sent += 1
            self.broken += found.status >= 500
        return found


def quoted(text: str) -> str:
    """For a query."""
    return urllib.parse.quote(text, safe="")
