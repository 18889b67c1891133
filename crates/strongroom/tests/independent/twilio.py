"""A strict stand-in for Twilio Verify v2 on this machine: it takes what the published OpenAPI document takes
(paths, form fields, patterns, required ones, HTTP Basic) and refuses everything else, more strictly than Twilio:
a field that is not in the document is refused too. Its codes, and every call, go to a file as JSON lines.

Usage: twilio.py CERTIFICATE KEY CALLS ACCOUNT TOKEN
Prints its port. Ends when its standard input does.
"""

import base64
import json
import re
import secrets
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

CERTIFICATE, KEY, CALLS, ACCOUNT, TOKEN = sys.argv[1:]
SERVICES, VERIFICATIONS, LOCK = {}, {}, threading.Lock()
LIFETIME_S = 600
ATTEMPTS_MAX = 5
# Numbers with a meaning, in the range set aside for fiction.
LANDLINE, BUSY = "+12025550199", "+12025550198"

TEXT, WHOLE, TRUTH = r"[\s\S]+", r"[0-9]+", r"true|false"
SERVICE_FIELDS = {
    "FriendlyName": TEXT, "CodeLength": WHOLE, "LookupEnabled": TRUTH, "SkipSmsToLandlines": TRUTH,
    "DtmfInputRequired": TRUTH, "Psd2Enabled": TRUTH, "DoNotShareWarningEnabled": TRUTH, "CustomCodeEnabled": TRUTH,
}
SEND_FIELDS = {
    "To": r"\+[1-9][0-9]{7,14}", "Channel": r"sms", "Locale": r"[a-zA-Z-]+", "CustomFriendlyName": TEXT,
    "TemplateSid": r"HJ[0-9a-fA-F]{32}",
}
CHECK_FIELDS = {"Code": r"[0-9]{4,10}", "To": r"\+[1-9][0-9]{7,14}", "VerificationSid": r"VE[0-9a-fA-F]{32}"}
UPDATE_FIELDS = {"Status": r"canceled|approved"}


class Refused(Exception):
    def __init__(self, status, code, message, retry_after=None):
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


def note(**call):
    with open(CALLS, "a", encoding="utf-8") as file:
        file.write(json.dumps(call) + "\n")


def checked(form, fields, required):
    for name, value in form.items():
        if name not in fields or not re.fullmatch(fields[name], value):
            raise Refused(400, 60200, f"Invalid parameter {name}")
    for name in required:
        if name not in form:
            raise Refused(400, 60200, f"Missing parameter {name}")


def shown(verification):
    return {key: verification[key] for key in ("sid", "service_sid", "account_sid", "to", "channel", "status", "valid")}


def create_service(form):
    checked(form, SERVICE_FIELDS, ["FriendlyName"])
    length = int(form.get("CodeLength", "6"))
    if not 4 <= length <= 10 or len(form["FriendlyName"]) > 30:
        raise Refused(400, 60200, "Invalid parameter")
    sid = "VA" + secrets.token_hex(16)
    SERVICES[sid] = length
    return 201, {"sid": sid, "account_sid": ACCOUNT, "friendly_name": form["FriendlyName"], "code_length": length}


def send(service, form):
    checked(form, SEND_FIELDS, ["To", "Channel"])
    if form["To"] == LANDLINE:
        raise Refused(400, 60205, "SMS is not supported by landline phone number")
    if form["To"] == BUSY:
        raise Refused(429, 60203, "Max send attempts reached", retry_after=17)
    now = time.time()
    for verification in VERIFICATIONS.values():
        is_open = verification["status"] == "pending" and now - verification["at"] < LIFETIME_S
        if verification["to"] == form["To"] and verification["service_sid"] == service and is_open:
            verification["sends"] += 1
            if verification["sends"] > ATTEMPTS_MAX:
                raise Refused(429, 60203, "Max send attempts reached")
            return 201, shown(verification)
    sid, digits = "VE" + secrets.token_hex(16), SERVICES[service]
    code = "".join(secrets.choice("0123456789") for _ in range(digits))
    VERIFICATIONS[sid] = {
        "sid": sid, "service_sid": service, "account_sid": ACCOUNT, "to": form["To"], "channel": "sms",
        "status": "pending", "valid": False, "code": code, "at": now, "sends": 1, "checks": 0,
    }
    note(sms=form["To"], code=code, sid=sid)
    return 201, shown(VERIFICATIONS[sid])


def check(service, form):
    checked(form, CHECK_FIELDS, ["Code"])
    if ("To" in form) == ("VerificationSid" in form):
        raise Refused(400, 60200, "Give either To or VerificationSid")
    found = [v for v in VERIFICATIONS.values() if form.get("VerificationSid") == v["sid"] or form.get("To") == v["to"]]
    found = [v for v in found if v["service_sid"] == service and v["status"] == "pending"]
    found = [v for v in found if time.time() - v["at"] < LIFETIME_S]
    if not found:
        raise Refused(404, 20404, "The requested resource was not found")
    verification = found[-1]
    verification["checks"] += 1
    if verification["checks"] > ATTEMPTS_MAX:
        raise Refused(429, 60202, "Max check attempts reached")
    if secrets.compare_digest(form["Code"], verification["code"]):
        verification["status"], verification["valid"] = "approved", True
    return 200, shown(verification)


def update(service, sid, form):
    checked(form, UPDATE_FIELDS, ["Status"])
    verification = VERIFICATIONS.get(sid)
    if not verification or verification["service_sid"] != service or verification["status"] != "pending":
        raise Refused(404, 20404, "The requested resource was not found")
    verification["status"] = form["Status"]
    return 200, shown(verification)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        form, status, body, retry_after = {}, 500, {}, None
        try:
            with LOCK:
                length = int(self.headers["content-length"])
                text = self.rfile.read(length).decode("ascii")
                if self.headers["content-type"] != "application/x-www-form-urlencoded":
                    raise Refused(415, 20415, "Unsupported Media Type")
                expected = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
                if not secrets.compare_digest(self.headers["authorization"] or "", expected):
                    raise Refused(401, 20003, "Authenticate")
                pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, encoding="utf-8", errors="strict")
                form = dict(pairs)
                if len(form) != len(pairs):
                    raise Refused(400, 60200, "A parameter is given twice")
                status, body = self.answer(form)
        except Refused as refused:
            status, retry_after = refused.status, refused.retry_after
            body = {"code": refused.code, "message": refused.message, "status": status, "more_info": "https://www.twilio.com/docs/errors"}
        note(path=self.path, fields=sorted(form), status=status, request_status=form.get("Status"))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        if retry_after is not None:
            self.send_header("retry-after", str(retry_after))
        self.end_headers()
        self.wfile.write(text)

    def answer(self, form):
        if self.path == "/v2/Services":
            return create_service(form)
        path = re.fullmatch(r"/v2/Services/(VA[0-9a-fA-F]{32})/(Verifications|VerificationCheck)(?:/(VE[0-9a-fA-F]{32}))?", self.path)
        if not path or path[1] not in SERVICES:
            raise Refused(404, 20404, "The requested resource was not found")
        if path[2] == "Verifications":
            return update(path[1], path[3], form) if path[3] else send(path[1], form)
        if path[3]:
            raise Refused(404, 20404, "The requested resource was not found")
        return check(path[1], form)

    def do_GET(self):
        self.send_error(405)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
