"""What a greedy or slow client gets: limits.py HOST PORT CA. Bodies too large are refused, heads that never end are
cut, 512 connections from one machine are served beside each other, and an old TLS or a weak cipher is not spoken."""

import http.client
import socket
import ssl
import sys
import time

host, port, ca = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def context(**versions):
    made = ssl.create_default_context(cafile=ca)
    made.check_hostname = False
    for name, value in versions.items():
        setattr(made, name, value)
    return made


def connect(made=None):
    return (made or context()).wrap_socket(socket.create_connection((host, port), timeout=30), server_hostname="localhost")


# Bodies.
for size, status in [(64 * 1024 + 1, 413), (5_000_000, 413)]:
    connection = http.client.HTTPSConnection(host, port, context=context(), timeout=60)
    connection.request("POST", "/v1/sessions", b"{" + b" " * (size - 1), {"content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == status, (size, answer.status)
    answer.read()

# A head that never ends holds its connection for some seconds, and no longer.
slow = connect()
slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
began = time.monotonic()
slow.settimeout(30)
try:
    while slow.recv(4096):
        pass
except (ConnectionError, ssl.SSLError):
    pass
assert 5 < time.monotonic() - began < 20, time.monotonic() - began

# Many at once.
made = context()
connections = [connect(made) for _ in range(512)]
for connection in connections:
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
for connection in connections:
    assert connection.recv(4096).startswith(b"HTTP/1.1 204"), "each is served"
for connection in connections:
    connection.close()

# TLS.
assert connect().version() == "TLSv1.3", "the newest is preferred"
old = context(maximum_version=ssl.TLSVersion.TLSv1_2)
assert connect(old).version() == "TLSv1.2"
assert "GCM" in connect(old).cipher()[0] or "POLY1305" in connect(old).cipher()[0]


def refused(made):
    try:
        connect(made)
    except (ssl.SSLError, ConnectionError):
        return True
    return False


older = context()
older.minimum_version, older.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
older.set_ciphers("ALL:@SECLEVEL=0")
assert refused(older), "TLS 1.1 is not spoken"
for weak in ["AES128-SHA", "AES256-SHA256", "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"]:
    made = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    made.set_ciphers(weak + ":@SECLEVEL=0")
    assert refused(made), weak
print("ok")
