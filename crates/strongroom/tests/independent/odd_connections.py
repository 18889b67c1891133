"""Connections that well-behaved clients do not make: one that sends and never reads, requests with something behind them.

Usage: odd_connections.py ADDRESS CA.pem PROCESS_ID. The server's memory is read from Linux's proc file system.
"""

import socket
import ssl
import sys
import time

address, ca, process = sys.argv[1:]
host, port = address.removeprefix("https://").split(":")
context = ssl.create_default_context(cafile=ca)


def connect():
    return context.wrap_socket(socket.create_connection((host, int(port)), timeout=5), server_hostname=host)


def resident_mib():
    with open(f"/proc/{process}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def status_of(request):
    with connect() as connection:
        try:
            connection.sendall(request)
            answer = connection.recv(65536)
        except OSError:
            answer = b""
    return answer.split(b" ", 2)[1] if answer else b"no answer"


head = b"GET /healthz HTTP/1.1\r\nHost: bank\r\n"
assert status_of(head + b"\r\n\n") == b"204", "a line break behind a request"
assert status_of(head + b"\r\nGET /hea") == b"204", "half a request behind a whole one"
# Who is still sending may see the connection break before the answer comes.
assert status_of(head + b"X-Large: " + b"x" * 200_000 + b"\r\n\r\n") in (b"431", b"no answer"), "a header that is too large"
assert status_of(b"NONSENSE\r\n\r\n") == b"400", "no HTTP at all"
assert status_of(b"POST /v1/users HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx") == b"400", "two lengths"

before = resident_mib()
with connect() as connection:
    connection.settimeout(0.5)
    end = time.monotonic() + 3
    requests = b"GET / HTTP/1.1\r\nHost: bank\r\n\r\n" * 100
    try:
        while time.monotonic() < end:
            connection.sendall(requests)
    except (TimeoutError, OSError):
        pass  # the server has stopped reading, which is right
    grown = resident_mib() - before
assert grown < 50, f"a connection that never reads made the server grow by {grown:.0f} MiB"
