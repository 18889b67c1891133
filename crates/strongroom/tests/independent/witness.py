"""A witness of a transparency log (C2SP tlog-witness and tlog-cosignature), from their texts alone: it cosigns a
checkpoint only when the log has signed it and it extends the one that was cosigned before.

Usage: witness.py CERTIFICATE KEY NAME LOG_KEY
Prints its port and its own key. Ends when its standard input does.
"""

import base64
import hashlib
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CERTIFICATE, KEY, NAME, LOG_KEY = sys.argv[1:]
SIGNER = Ed25519PrivateKey.generate()
PUBLIC = b"\x04" + SIGNER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
KEY_ID = hashlib.sha256(NAME.encode() + b"\n" + PUBLIC).digest()[:4]
ORIGIN, LOG_KEY_ID, LOG_PUBLIC = LOG_KEY.split("+", 2)
LOG_PUBLIC = Ed25519PublicKey.from_public_bytes(base64.b64decode(LOG_PUBLIC)[1:])
STATE, LOCK = {"size": 0, "root": hashlib.sha256(b"").digest()}, threading.Lock()


class Refused(Exception):
    def __init__(self, status, body="", kind="text/plain"):
        super().__init__(body)
        self.status, self.body, self.kind = status, body, kind


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def extends(first, first_root, second, second_root, path):
    """RFC 9162, 2.1.4.2."""
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path
    if first & (first - 1) == 0:
        path = [first_root] + path
    if not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for step in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(step, fr), node(step, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, step)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (first_root, second_root, 0)


def cosign(body):
    head, note = body.split("\n\n", 1)
    old, *path = head.split("\n")
    if not old.startswith("old "):
        raise Refused(400)
    old, path = int(old[4:]), [base64.b64decode(line) for line in path]
    text, signatures = note.split("\n\n")
    text += "\n"
    origin, size, root = text.splitlines()
    size, root = int(size), base64.b64decode(root)
    if origin != ORIGIN:
        raise Refused(404)
    dash, name, signature = signatures.splitlines()[0].split(" ")
    signature = base64.b64decode(signature)
    try:
        if dash != "—" or name != ORIGIN or signature[:4].hex() != LOG_KEY_ID:
            raise InvalidSignature()
        LOG_PUBLIC.verify(signature[4:], text.encode())
    except InvalidSignature:
        raise Refused(403) from None
    with LOCK:
        if old > size:
            raise Refused(400)
        if old != STATE["size"]:
            raise Refused(409, f"{STATE['size']}\n", "text/x.tlog.size")
        if not extends(old, STATE["root"], size, root, path):
            raise Refused(422)
        STATE.update(size=size, root=root)
    now = int(time.time())
    signed = SIGNER.sign(f"cosignature/v1\ntime {now}\n{text}".encode())
    line = base64.b64encode(KEY_ID + now.to_bytes(8) + signed).decode()
    return f"— {NAME} {line}\n"


class Witness(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        try:
            if self.path != "/prefix/add-checkpoint":
                raise Refused(404)
            status, answer, kind = 200, cosign(body), "text/plain"
        except Refused as refused:
            status, answer, kind = refused.status, refused.body, refused.kind
        except (ValueError, IndexError):
            status, answer, kind = 400, "", "text/plain"
        print(status, flush=True)
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Witness)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
print(f"{NAME}+{KEY_ID.hex()}+{base64.b64encode(PUBLIC).decode()}", flush=True)
sys.stdin.read()
