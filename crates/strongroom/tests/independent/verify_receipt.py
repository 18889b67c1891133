"""Checks a receipt and the checkpoint in it against a log key, from the description in docs/formats.md alone.

Usage: verify_receipt.py RECEIPT.txt LOG_KEY. Ends with 0 when everything holds. Nothing here is Strongroom's own code.
"""

import base64
import datetime
import hashlib
import json
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

KINDS = {"transfer": 1, "deposit": 2, "withdrawal": 3, "fee": 4, "interest": 5, "reversal": 6}
PURPOSES = {"transfer": "order", "deposit": "cash", "withdrawal": "cash"}
NO_PART = bytes(32)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def ident(text):
    return bytes.fromhex(text.split("_", 1)[1])


def micros(text):
    time = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (time - epoch) // datetime.timedelta(microseconds=1)


def sized(raw):
    return len(raw).to_bytes(4) + raw


def part_hash(tag, salt, content):
    return sha256(b"strongroom part v1\0", bytes([tag]), salt, content)


def commitment(kind, core, payer=NO_PART, payee=NO_PART):
    return sha256(b"strongroom leaf v1\0", bytes([kind]), core, payer, payee)


def root_by_path(entry, index, size, path):
    """RFC 9162, 2.1.3.2."""
    fn, sn, node = index, size - 1, sha256(b"\0", entry)
    for step in path:
        assert sn > 0, "the path is too long"
        if fn & 1 or fn == sn:
            node = sha256(b"\1", step, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha256(b"\1", node, step)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0, "the path is too short"
    return node


def check_note(note, log_key):
    """C2SP signed-note and tlog-checkpoint. Answers the tree's size and root."""
    name, key_hash, key = log_key.split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_hash, "the log key is damaged"
    text, signatures = note.split("\n\n")
    text += "\n"
    dash, signer, signature = signatures.strip("\n").split(" ")
    signature = base64.b64decode(signature)
    assert dash == "—" and signer == name and signature[:4].hex() == key_hash, "signed by another log"
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], text.encode())
    origin, size, root = text.splitlines()
    assert origin == name
    return int(size), base64.b64decode(root)


def check_jws(jws, key, body, expected):
    head, empty, signature = jws.split(".")
    assert empty == ""
    decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    protected, signature = json.loads(decode(head)), decode(signature)
    message = (head + ".").encode() + body
    if key[0] == 1:
        assert protected["alg"] == "EdDSA"
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, message)
    else:
        assert protected["alg"] == "ES256" and key[0] == 2
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key[1:])
        point.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    assert protected["b64"] is False and protected["crit"] == ["b64"]
    for name, value in expected.items():
        assert protected[name] == value, f"the signature names another {name}"
    return protected["exp"]


def verify(receipt, log_key):
    head, note = receipt.split("checkpoint\n", 1)
    size, root = check_note(note, log_key)
    title, *lines = head.splitlines()
    assert title == "strongroom receipt v1"
    fields, paths = {}, {"path": [], "device-path": [], "bulk-path": []}
    for line in lines:
        name, value = line.split(" ", 1)
        if name in paths:
            paths[name].append(bytes.fromhex(value))
        else:
            assert name not in fields, f"{name} twice"
            fields[name] = value

    amount, currency = fields["amount"].split(" ")
    assert currency == "USD", "this reader knows the minor units of USD only"
    whole, cents = amount.split(".")
    minor = int(whole) * 100 + int(cents)
    authority, device = fields["authority"].split(" ")
    refers = bytes(16) if fields["refers"] == "none" else ident(fields["refers"])
    core = b"".join([
        b"\1", ident(fields["transfer"]), int(fields["sequence"]).to_bytes(8), bytes([KINDS[fields["kind"]]]),
        ident(fields["from"]), ident(fields["to"]), minor.to_bytes(8), currency.encode(),
        micros(fields["time"]).to_bytes(8), bytes([{"customer-device": 1, "staff-device": 2}[authority]]), ident(device),
        bytes.fromhex(fields["order-sha256"]), refers,
    ])
    assert len(core) == 142
    hashes_of = {"core": part_hash(1, bytes.fromhex(fields["core-salt"]), core)}
    shown = {}
    for tag, name in ((2, "payer"), (3, "payee")):
        how, *rest = fields[name].split(" ")
        if how == "shown":
            shown[name] = base64.b64decode(rest[1])
            hashes_of[name] = part_hash(tag, bytes.fromhex(rest[0]), shown[name])
        else:
            hashes_of[name] = bytes.fromhex(rest[0])
    entry = commitment(1, hashes_of["core"], hashes_of["payer"], hashes_of["payee"])
    index = int(fields["index"])
    assert index == int(fields["sequence"])
    assert root_by_path(entry, index, size, paths["path"]) == root, "the posting is not in the log"

    if fields["view"] == "payee":
        return
    key = base64.b64decode(fields["device-key"])
    registration = b"".join([
        b"\2", ident(fields["device"]), ident(fields["device-person"]), b"\1", micros(fields["device-time"]).to_bytes(8),
        ident(fields["device-by"]), sized(key),
    ])
    assert fields["device"] == device and fields["device-change"] == "registered"
    entry = commitment(2, part_hash(1, bytes.fromhex(fields["device-salt"]), registration))
    device_index = int(fields["device-index"])
    assert device_index < index
    assert root_by_path(entry, device_index, size, paths["device-path"]) == root, "the device is not in the log"
    payer = shown["payer"]
    length = int.from_bytes(payer[:4])
    order, rest = payer[4:4 + length], payer[4 + length:]
    assert sized(order) + rest == payer
    assert sha256(order).hex() == fields["order-sha256"], "another order"
    purpose, signed, jws = PURPOSES[fields["kind"]], order, rest[4:].decode("latin-1")
    if "bulk" in fields:
        jws, count, bulk_root = fields["bulk"], int(fields["bulk-count"]), fields["bulk-root"]
        assert rest[:36] == sized(b"") + sha256(jws.encode()) and len(rest) == 44, "another bulk"
        place = int.from_bytes(rest[36:])
        assert root_by_path(order, place, count, paths["bulk-path"]).hex() == bulk_root, "the order is not in the bulk"
        purpose, signed = "bulk", f'{{"root":"{bulk_root}","count":{count},"linked":{fields["bulk-linked"]}}}'.encode()
    else:
        assert rest == sized(jws.encode())
    name = log_key.split("+", 1)[0]
    check_jws(jws, key, signed, {"typ": purpose, "aud": name, "kid": device})
    ordered = json.loads(order)["amount"]
    assert (ordered["amount"], ordered["currency"]) == (amount, currency), "another amount was ordered"


with open(sys.argv[1], newline="") as file:
    verify(file.read(), sys.argv[2])
