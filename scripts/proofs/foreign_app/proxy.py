"""An HTTP/1.1 proxy on loopback that counts requests, knows which are open, and can run an action while one is."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Trap:
    """What to do at the `request`-th request from now, and where in its life.

    arriving: it has reached the proxy; `fate` then says if it reaches the app "now", "late" (after `late_s`) or "never"
    sent:     the app has it; `delay_s` later, no answer has been passed on
    answered: the app has done it and answered; the answer is not passed on
    """

    request: int
    stage: str
    fate: str
    delay_s: float
    late_s: float
    action: Callable[[], None]


@dataclass
class Message:
    """A request or answer: its head (first line and header lines) and its body, both as they came."""

    head: bytes
    body: bytes

    @property
    def first_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    def header(self, name: bytes) -> bytes | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip()
        return None


class Proxy:
    """Listens on a free port in a thread of its own and passes everything on to 127.0.0.1:`upstream`.

    Towards the app each request has a connection of its own and at most eight are open at a time, because the app's
    listening queue is five entries long.
    """

    def __init__(self, upstream: int, log: Path):
        self.upstream = upstream
        self.port = 0
        self.counts: Counter[str] = Counter()
        self.open: dict[int, str] = {}
        self.trap: Trap | None = None
        self.sprung = ""
        self._seen = 0
        self._log = log.open("w", encoding="utf-8")
        self._started = time.monotonic()
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        if not self._ready.wait(10):
            raise RuntimeError("the proxy did not start")

    # ---- for the proof ---------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Starts counting anew."""
        self.counts = Counter()

    def writes(self) -> int:
        """Requests since `reset` that may change something."""
        return sum(self.counts[method] for method in WRITES)

    def requests(self) -> int:
        """All requests since `reset`."""
        return sum(self.counts.values())

    def arm(self, trap: Trap) -> None:
        """Sets the trap; `sprung` says afterwards which request it caught, empty if none."""
        self.sprung = ""
        self._seen = 0
        self.trap = trap

    def disarm(self) -> None:
        """Takes the trap away."""
        self.trap = None

    def wait_quiet(self, timeout_s: float = 60) -> None:
        """Waits until no request is open, late ones included."""
        deadline = time.monotonic() + timeout_s
        while self.open:
            if time.monotonic() > deadline:
                raise RuntimeError(f"still open: {list(self.open.values())}")
            time.sleep(0.01)

    # ---- the proxy itself ------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        self._slots = asyncio.Semaphore(8)
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=1 << 20, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await server.serve_forever()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the client: a request at a time until it goes away."""
        try:
            while (request := await read_message(reader)) is not None:
                answer = await self._exchange(request)
                if answer is None:
                    break
                writer.write(answer.head + answer.body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _exchange(self, request: Message) -> Message | None:
        """Counts a request and passes it on, even if the client is gone meanwhile; None if no answer is to be passed on."""
        line = " ".join(request.first_line.split(" ")[:2])
        number, started = self._count(line), time.monotonic()
        trap = self.trap
        if trap is not None:
            self._seen += 1
            if self._seen == trap.request:
                self.trap = None
            else:
                trap = None
        status = "never sent"
        try:
            answer = await self._pass_on(request, trap, line)
            status = answer.first_line[9:12] if answer else status
            return None if trap else answer
        except (OSError, asyncio.IncompleteReadError) as error:
            status = f"no answer: {error}"
            return None
        finally:
            self.open.pop(number)
            at, took = (started - self._started) * 1000, (time.monotonic() - started) * 1000
            self._log.write(f"{at:.1f} ms  {line}  {status}  {took:.1f} ms{'  CAUGHT ' + trap.stage if trap else ''}\n")
            self._log.flush()

    def _count(self, line: str) -> int:
        self.counts[line.split(" ")[0]] += 1
        number = max(self.open, default=0) + 1
        self.open[number] = line
        return number

    async def _pass_on(self, request: Message, trap: Trap | None, line: str) -> Message | None:
        """Sends the request to the app and reads the answer; springs the trap where it says."""
        if trap and trap.stage == "arriving":
            self._spring(trap, f"{line}, reached the app: {trap.fate}")
            if trap.fate == "never":
                return None
            if trap.fate == "late":
                await asyncio.sleep(trap.late_s)
        async with self._slots:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream, limit=1 << 20)
            try:
                writer.write(request.head + request.body)
                await writer.drain()
                if trap and trap.stage == "sent":
                    await asyncio.sleep(trap.delay_s)
                    self._spring(trap, f"{line}, sent, {trap.delay_s * 1000:.1f} ms ago")
                answer = await read_message(reader, answer=True)
            finally:
                writer.close()
        if trap and trap.stage == "answered":
            self._spring(trap, f"{line}, answered {answer.first_line[9:12]}, answer held back")
        return answer

    def _spring(self, trap: Trap, what: str) -> None:
        self.sprung = what
        trap.action()


async def read_message(reader: asyncio.StreamReader, answer: bool = False) -> Message | None:
    """Reads one message; None at the end of the connection. An answer is made to end by its length, whatever the app used."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial or answer:
            raise
        return None
    message = Message(head, b"")
    length = message.header(b"content-length")
    if (message.header(b"transfer-encoding") or b"").lower() == b"chunked":
        message.body = await read_chunks(reader)
    elif length is not None:
        message.body = await reader.readexactly(int(length))
    elif answer and message.first_line[9:12] not in ("204", "304"):
        message.body = await reader.read()
    return with_length(message, answer)


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A body in chunks, joined."""
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    while (await reader.readline()).strip():
        pass
    return body


def with_length(message: Message, answer: bool) -> Message:
    """The message with Content-Length in place of other framing; the app's HTTP/1.0 becomes HTTP/1.1, which keeps connections."""
    first, *lines = message.head.rstrip(b"\r\n").split(b"\r\n")
    if answer:
        first = b"HTTP/1.1" + first[8:]
    framing = (b"content-length", b"transfer-encoding", b"connection", b"keep-alive")
    lines = [line for line in lines if line.split(b":")[0].strip().lower() not in framing]
    if answer or message.body:
        lines.append(b"Content-Length: %d" % len(message.body))
    if not answer:
        lines.append(b"Connection: close")
    return Message(b"\r\n".join([first, *lines, b"", b""]), message.body)
