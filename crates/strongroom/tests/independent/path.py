"""The whole path through a demo bank's API, from sign-up to a receipt, with curl, oathtool and `cryptography`.

Usage: path.py READY.json RECEIPT.txt. READY.json is what `strongroom serve --demo --json` printed; the receipt is written.
"""

import base64
import json
import subprocess
import sys
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ready = json.load(open(sys.argv[1]))


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def call(method, path, body=None, token=None, signature=None):
    """One request by curl. Answers the status, the JSON or text, and the headers."""
    command = ["curl", "--silent", "--cacert", ready["ca"], "--request", method, "--dump-header", "/dev/stderr"]
    raw = None
    if body is not None:
        raw = body if isinstance(body, str) else json.dumps(body)
        command += ["--header", "content-type: application/json", "--data-binary", "@-"]
    if token:
        command += ["--header", "authorization: Bearer " + token]
    if signature:
        command += ["--header", "x-jws-signature: " + signature]
    done = subprocess.run(command + [ready["listening"] + path], input=raw, capture_output=True, text=True, check=True)
    status, *lines = done.stderr.replace("\r", "").strip().split("\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    is_json = "json" in headers.get("content-type", "")
    return int(status.split()[1]), json.loads(done.stdout) if is_json else done.stdout, headers


def expect(status, answer):
    assert answer[0] == status, f"expected {status}: {answer}"
    return answer[1]


def totp(secret):
    return subprocess.run(["oathtool", "--totp", "-b", secret], capture_output=True, text=True, check=True).stdout.strip()


def sign_in(person):
    step = expect(201, call("POST", "/v1/sessions", {"username": person["username"], "password": person["password"]}))
    assert step["status"] == "factor_required" and "totp" in step["factors"], step
    proof = {"challenge": step["challenge"], "factor": "totp", "code": totp(person["totp_secret"])}
    session = expect(201, call("POST", "/v1/sessions/verify", proof))
    assert session["status"] == "authenticated" and session["token_type"] == "Bearer", session
    return session["access_token"]


class Ed25519Device:
    """A device with an Ed25519 key."""

    algorithm = "EdDSA"

    def __init__(self, token):
        self.key = Ed25519PrivateKey.generate()
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64url(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))}
        self.id = expect(201, call("POST", "/v1/me/devices", {"name": "Path", "public_key": jwk}, token))["id"]

    def signature(self, message):
        return self.key.sign(message)

    def sign(self, body, purpose):
        """A detached JWS over the unencoded body (RFC 7515 appendix F, RFC 7797)."""
        protected = {"alg": self.algorithm, "kid": self.id, "typ": purpose, "aud": origin, "exp": int(time.time()) + 300,
                     "b64": False, "crit": ["b64"]}
        head = base64url(json.dumps(protected).encode())
        return head + ".." + base64url(self.signature((head + "." + body).encode()))


class P256Device(Ed25519Device):
    """A device with a P-256 key, as browsers and phones have them."""

    algorithm = "ES256"

    def __init__(self, token):
        self.key = ec.generate_private_key(ec.SECP256R1())
        point = self.key.public_key().public_numbers()
        coordinates = {name: base64url(value.to_bytes(32)) for name, value in (("x", point.x), ("y", point.y))}
        jwk = {"kty": "EC", "crv": "P-256", **coordinates}
        self.id = expect(201, call("POST", "/v1/me/devices", {"name": "Path", "public_key": jwk}, token))["id"]

    def signature(self, message):
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


known = expect(200, call("GET", "/.well-known/strongroom"))
origin = known["origin"]
assert known["log_key"] == ready["log_key"]
people = {person["role"]: person for person in reversed(ready["people"])}

# Clara signs up, enrols an authenticator app and is signed in by its first code.
clara = {
    "username": "clara.path", "password": "three green lamps", "full_name": "Clara Pathfinder",
    "email": "clara.path@example.org", "phone": "+525511112222", "national_id": "PACL910101XX5",
    "date_of_birth": "1991-01-01", "address": "Calle Larga 7, Oaxaca",
}
created = expect(201, call("POST", "/v1/users", clara))
assert created["id"].startswith("usr_"), created
step = expect(201, call("POST", "/v1/sessions", {"username": clara["username"], "password": clara["password"]}))
assert step["status"] == "enrolment_required", step
factor = expect(201, call("POST", "/v1/me/factors/totp", {}, step["enrolment_token"]))
assert factor["otpauth_uri"].startswith("otpauth://totp/"), factor
clara["totp_secret"] = factor["secret"]
confirm = f"/v1/me/factors/{factor['id']}/confirm"
expect(401, call("GET", "/v1/accounts", None, step["enrolment_token"]))
expect(422, call("POST", confirm, {"code": "000000"}, step["enrolment_token"]))
session = expect(201, call("POST", confirm, {"code": totp(factor["secret"])}, step["enrolment_token"]))
token = session["access_token"]
me = expect(200, call("GET", "/v1/me", None, token))
assert {**clara, **me} == {**me, "password": clara["password"], "totp_secret": clara["totp_secret"]}, me

# She registers a device with a key as browsers make them, and opens an account.
device = P256Device(token)
account = expect(201, call("POST", "/v1/accounts", {"currency": "USD", "name": "Everyday"}, token))
assert account["balance"] == account["available"] == {"amount": "0.00", "currency": "USD"}, account
digits = [int(d) for d in account["number"]]
assert account["number_scheme"] == "clabe" and len(digits) == 18
assert sum(d * w % 10 for d, w in zip(digits, [3, 7, 1] * 6)) % 10 == 0 or \
    (10 - sum(d * w % 10 for d, w in zip(digits[:17], [3, 7, 1] * 6)) % 10) % 10 == digits[17], account

# A teller takes her cash, signed by the teller's device.
teller = sign_in(people["teller"])
body = json.dumps({"order_id": "dep-1", "account": account["number"], "amount": {"amount": "100.00", "currency": "USD"},
                   "reference": "First deposit of Clara"})
deposit = expect(201, call("POST", "/v1/cash/deposits", body, teller, Ed25519Device(teller).sign(body, "cash")))
assert deposit["status"] == "posted", deposit

# She pays a customer of the demo, to an account number, with a private description.
payee = sign_in(people["customer"])
other = expect(200, call("GET", "/v1/accounts", None, payee))["items"][0]
before = other["balance"]["amount"]
body = json.dumps({"order_id": "pay-1", "from": account["id"], "to": other["number"],
                   "amount": {"amount": "12.50", "currency": "USD"}, "description": "Rent of the blue room"})
signature = device.sign(body, "order")
posted = expect(201, call("POST", "/v1/transfers", body, token, signature))
assert posted["status"] == "posted" and posted["order_id"] == "pay-1" and posted["sequence"] > deposit["sequence"], posted
again = call("POST", "/v1/transfers", body, token, signature)
assert again[0] == 200 and again[1] == posted and again[2]["idempotent-replay"] == "true", again

# Both see it, each on their own account only.
own = expect(200, call("GET", f"/v1/accounts/{account['id']}", None, token))
assert own["balance"]["amount"] == "87.50", own
theirs = expect(200, call("GET", f"/v1/accounts/{other['id']}", None, payee))["balance"]["amount"]
assert float(theirs) - float(before) == 12.5, theirs
expect(404, call("GET", f"/v1/accounts/{other['id']}", None, token))
entries = expect(200, call("GET", f"/v1/accounts/{account['id']}/entries", None, token))["items"]
assert [entry["amount"]["amount"] for entry in entries] == ["-12.50", "100.00"], entries
assert entries[0]["description"] == "Rent of the blue room" and entries[0]["order_id"] == "pay-1", entries
entry = expect(200, call("GET", f"/v1/accounts/{other['id']}/entries", None, payee))["items"][0]
assert entry["description"] == "Rent of the blue room" and "order_id" not in entry, entry

# The receipt, the bank's own five checks, and the log's checkpoint.
receipt = expect(200, call("GET", f"/v1/transfers/{posted['id']}/receipt", None, token))
open(sys.argv[2], "w").write(receipt)
for reader in (token, payee):
    report = expect(200, call("GET", f"/v1/transfers/{posted['id']}/verification", None, reader))
    assert report["is_valid"] and set(report["checks"]) == {"mac", "signature", "inclusion", "chain", "balances"}, report
    assert all(report["checks"].values()), report
expect(404, call("GET", f"/v1/transfers/{posted['id']}/receipt", None, teller))
assert expect(200, call("GET", "/log/checkpoint")).startswith(origin + "\n")
blocks = expect(200, call("GET", "/v1/ledger/blocks?limit=200", None, token))["items"]
linked = sorted(blocks, key=lambda block: block["height"])
assert all(a["hash"] == b["previous"] for a, b in zip(linked, linked[1:])), blocks

# New tokens for the session, then its end.
fresh = expect(201, call("POST", "/v1/sessions/refresh", {"refresh_token": session["refresh_token"]}))
expect(204, call("DELETE", f"/v1/sessions/{session['session_id']}", None, fresh["access_token"]))
expect(401, call("POST", "/v1/sessions/refresh", {"refresh_token": fresh["refresh_token"]}))
