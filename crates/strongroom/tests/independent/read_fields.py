"""Opens every sealed field of a bank on SQLite, from the formats' description alone and the root key.

Usage: read_fields.py HOME ROOT_KEY_FILE [EXPECTED...]. Prints how many fields of each column opened, as JSON; ends with an error
when one does not open, or when an expected text is in none of them. Only Python's own library and `cryptography` are used.
"""

import base64
import collections
import json
import sqlite3
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

XAES, GCM = 1, 2
BYTES = 2  # the logical type of everything in a bank


def xaes_key(key, half_nonce):
    """C2SP XAES-256-GCM: the key of AES-256-GCM for the first half of a nonce."""
    encrypt = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update
    double = int.from_bytes(encrypt(bytes(16))) << 1
    k1 = (double ^ (0x87 if double >> 128 else 0)) & ((1 << 128) - 1)
    blocks = [bytes([0, n, ord("X"), 0]) + half_nonce for n in (1, 2)]
    return b"".join(encrypt((int.from_bytes(block) ^ k1).to_bytes(16)) for block in blocks)


def unseal(keys, store, column, row, sealed):
    """Opens a sealed field with the version of its key that it names."""
    header, rest = sealed[:8], sealed[8:]
    assert header[:2] == b"\xf5\x53" and header[3] == 0, "not a sealed field"
    key = keys[int.from_bytes(header[4:])]
    sized = lambda part: len(part).to_bytes(4) + part
    context = header + sized(store) + sized(column) + sized(row) + sized(bytes([BYTES]))
    if header[2] == XAES:
        return AESGCM(xaes_key(key, rest[:12])).decrypt(rest[12:24], rest[24:], context)
    assert header[2] == GCM
    return AESGCM(key).decrypt(rest[:12], rest[12:], context)


def unwrap(kek, purpose, series, version, state, created_us, wrapped):
    """A key is wrapped as a field of suite 1 whose row says what it is for; its key version is always 1."""
    info = f"{purpose}/{series.hex()}/{version}/{state}/{created_us}".encode()
    return unseal({1: kek}, bytes(16), b"strongroom/wrap\0", info, wrapped)


class Keyring:
    def __init__(self, path, root):
        self.database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.store = self.database.execute("SELECT value FROM meta WHERE name = 'store'").fetchone()[0]
        self.keks = {}
        kek_rows = self.database.execute("SELECT series, version, state, created_us, wrapped FROM wrapped_keys WHERE purpose = 'kek' ORDER BY version")
        for series, *row, wrapped in kek_rows:
            if wrapped:
                self.keks[series.rstrip(b"\0").decode()] = unwrap(root, "kek", series, *row, wrapped)

    def versions(self, purpose, series=bytes(16)):
        rows = self.database.execute(
            "SELECT version, state, created_us, wrapped FROM wrapped_keys WHERE purpose = ? AND series = ?", (purpose, series))
        kek = self.keks[purpose]
        return {version: unwrap(kek, purpose, series, version, *row, wrapped) for version, *row, wrapped in rows if wrapped}


def column_id(number):
    return b"strongroom/col/" + bytes([number])


def read(home, root):
    """Yields the name and value of every sealed field."""
    keyring = Keyring(f"{home}/keys.db", root)
    bank = sqlite3.connect(f"file:{home}/bank.db?mode=ro", uri=True)
    people = collections.defaultdict(dict)
    credential, own = keyring.versions("credential"), keyring.versions("bank")

    def keys_of(owner):
        if owner is None:
            return own
        if not people[owner]:
            people[owner] = keyring.versions("person", owner)
        return people[owner]

    def fields(table, key, owner, names):
        """Columns of a table by their ids' numbers; `owner` names the column with whose keys they are sealed."""
        listed = ", ".join(names)
        for row_id, of, *cells in bank.execute(f"SELECT {key}, {owner}, {listed} FROM {table}"):
            for name, cell in zip(names, cells):
                if cell:
                    yield name if table.startswith("(") else f"{table}.{name}", names[name], row_id, of, cell

    profile = {"username": 2, "full_name": 3, "email": 4, "phone": 5, "national_id": 6, "date_of_birth": 7, "address": 8}
    personal = [
        fields("people", "id", "id", profile),
        fields("devices", "id", "person", {"name": 10}),
        fields("audit", "id", "person", {"detail": 16}),
        fields("factors", "id", "person", {"name": 18}),
        fields("outbox", "id", "person", {"message": 20}),
        fields("accounts", "id", "owner", {"number": 11, "name": 12}),
    ]
    for part, number, near, far in (("payer", 13, "f", "t"), ("payee", 14, "t", "f")):
        # The bank's own side of a posting is sealed under the other party's keys.
        joined = (f"(SELECT p.id, p.{part}, COALESCE({near}.owner, {far}.owner) AS owner FROM transfers p "
                  "JOIN accounts f ON f.id = p.from_account JOIN accounts t ON t.id = p.to_account)")
        personal.append(fields(joined, "id", "owner", {part: number}))
    for some in personal:
        for name, number, row_id, owner, cell in some:
            yield name, unseal(keys_of(owner), keyring.store, column_id(number), row_id, cell)
    for name, number, row_id, _, cell in fields("people", "id", "id", {"password": 1}):
        yield name, unseal(credential, keyring.store, column_id(number), row_id, cell)
    for name, number, row_id, _, cell in fields("challenges", "id", "person", {"data": 19}):
        yield name, unseal(credential, keyring.store, column_id(number), row_id, cell)
    for name, number, row_id, _, cell in fields("sessions", "id", "person", {"successor": 15}):
        yield name, unseal(credential, keyring.store, column_id(number), row_id, cell)
    for name, number, row_id, person, cell in fields("factors", "id", "person", {"secret": 9}):
        yield name, unseal(credential, keyring.store, column_id(number), row_id + person, cell)


home, key_file, *expected = sys.argv[1:]
line = open(key_file).read().strip()
prefix = "strongroom-root-key-v1 "
assert line.startswith(prefix), "not a root key file"
root = base64.urlsafe_b64decode(line.removeprefix(prefix) + "=")
counts, missing = collections.Counter(), {text.encode() for text in expected}
for name, value in read(home, root):
    counts[name] += 1
    missing -= {text for text in missing if text in value}
assert not missing, f"in no field: {missing}"
print(json.dumps(counts))
