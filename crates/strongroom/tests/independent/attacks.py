"""What other sites and borrowed cookies can do at the web pages: nothing. Session fixation, forms sent from another
origin, redirects to somewhere else, headers. Usage: attacks.py WHAT ADDRESS CA.pem USERNAME PASSWORD TOTP_SECRET
"""

import html
import http.client
import re
import ssl
import subprocess
import sys
import urllib.parse

what, address, ca, username, password, secret = sys.argv[1:]
host = address.removeprefix("https://")
context = ssl.create_default_context(cafile=ca)
OURS = {"Origin": address, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


def send(method, path, jar, fields=None, headers=None):
    """One request, no redirects followed; cookies are kept in the jar as a browser would."""
    connection = http.client.HTTPSConnection(host, context=context, timeout=30)
    headers = dict(headers or {})
    if jar:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
    body = urllib.parse.urlencode(fields) if fields is not None else None
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    for name, value in answer.getheaders():
        if name.lower() == "set-cookie":
            key, _, rest = value.partition("=")
            content, *attributes = [part.strip() for part in rest.split(";")]
            flags = {attribute.lower() for attribute in attributes}
            assert key.startswith("__Host-"), value
            assert {"secure", "httponly", "samesite=strict", "path=/"} <= flags, value
            assert not any(flag.startswith("domain") for flag in flags), value
            jar[key] = content
            if not content or "max-age=0" in flags:
                jar.pop(key)
    connection.close()
    return answer.status, answer.getheaders(), text


def header(headers, name):
    return next((value for key, value in headers if key.lower() == name), None)


def hidden(page, action):
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page, re.S).group(0)
    return {name: html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)}


def totp(ahead_s=0):
    command = ["oathtool", "--totp", "-b", secret, "--now", f"now + {ahead_s} seconds"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def sign_in(jar, ahead_s=0):
    _, _, page = send("GET", "/", jar)
    fields = hidden(page, "/sign-in") | {"username": username, "password": password}
    status, headers, _ = send("POST", "/sign-in", jar, fields, OURS)
    assert status in (302, 303) and header(headers, "location") == "/sign-in/code", (status, headers)
    _, _, page = send("GET", "/sign-in/code", jar)
    fields = hidden(page, "/sign-in/code") | {"code": totp(ahead_s)}
    status, headers, page = send("POST", "/sign-in/code", jar, fields, OURS)
    assert status in (302, 303), (status, page)
    return jar


def fixation():
    """A cookie that was there before opens nothing, and is never the one of the session that signing in opens."""
    mallory = sign_in({})
    _, _, page = send("GET", "/accounts", mallory)
    ended = dict(mallory)
    send("POST", "/sign-out", mallory, hidden(page, "/sign-out"), OURS)
    planted = [ended["__Host-session"], "sess_" + "0" * 32 + "." + "0" * 96, "anything"]
    for value in planted:
        status, headers, _ = send("GET", "/accounts", {"__Host-session": value})
        assert status in (302, 303) and header(headers, "location").startswith("/?out="), "it opens nothing"
    victim = sign_in({"__Host-session": ended["__Host-session"]}, 30)
    assert victim["__Host-session"] not in planted, "signing in makes a new one"
    assert send("GET", "/accounts", dict(victim))[0] == 200
    status, _, _ = send("GET", "/accounts", {"__Host-session": ended["__Host-session"]})
    assert status in (302, 303), "and the planted one stays worthless"


def forms():
    """Every form, sent from elsewhere or without its token, changes nothing."""
    jar = sign_in({})
    _, _, page = send("GET", "/accounts", jar)
    good = hidden(page, "/accounts") | {"name": "Mine", "currency": "USD"}
    elsewhere = [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": address, "Sec-Fetch-Site": "same-site"},
        {"Origin": address, "Sec-Fetch-Site": "cross-site"},
        {"Origin": address.replace("https", "http")},
        {"Origin": address + ".evil.example"},
        {},
    ]
    for headers in elsewhere:
        headers = headers | {"Content-Type": OURS["Content-Type"]}
        status, _, _ = send("POST", "/accounts", jar, good, headers)
        assert status == 403, (headers, status)
    other = sign_in({}, 30)
    _, _, page = send("GET", "/accounts", other)
    for token in ["", "0" * 32, hidden(page, "/accounts")["csrf"]]:
        status, _, _ = send("POST", "/accounts", jar, good | {"csrf": token}, OURS)
        assert status == 403, "another session's token is none"
    for path in ["/sign-out", "/transfers", "/devices", "/cash", "/security/recovery", "/step-up", "/sign-in", "/sign-up", "/join", "/enrol"]:
        status, _, _ = send("POST", path, dict(jar), {"csrf": good["csrf"]}, {"Origin": "https://evil.example", "Content-Type": OURS["Content-Type"]})
        assert status == 403, (path, status)
    status, _, _ = send("POST", "/accounts", jar, good, OURS)
    assert status in (302, 303), "and from our own page it works"
    # The API takes no cookie, and a cookie's page takes no bearer token.
    status, _, _ = send("GET", "/v1/me", jar)
    assert status == 401, status
    for origin in ["https://evil.example", "null"]:
        _, headers, _ = send("OPTIONS", "/v1/me", {}, None, {"Origin": origin, "Access-Control-Request-Method": "GET"})
        assert header(headers, "access-control-allow-origin") is None


def redirects():
    """No page sends its visitor to another site."""
    jar = sign_in({})
    names = ["next", "url", "to", "return", "return_to", "redirect", "redirect_uri", "continue", "out", "done", "from"]
    targets = ["https://evil.example/", "//evil.example", "/\\evil.example", "/%09/evil.example", "\r\nLocation: https://evil.example"]
    paths = ["/", "/sign-in", "/sign-in/code", "/sign-up", "/join", "/enrol", "/step-up", "/accounts", "/transfers", "/transfers/new", "/security", "/devices", "/cash"]
    for path in paths:
        for target in targets:
            query = urllib.parse.urlencode({name: target for name in names})
            for visitor in ({}, dict(jar)):
                status, headers, page = send("GET", f"{path}?{query}", visitor)
                assert status < 500, (path, status)
                place = header(headers, "location")
                assert place is None or re.fullmatch(r"/(?![/\\])[\w/?=&-]*", place), (path, place)
                assert "evil.example" not in re.sub(r'value="[^"]*"', "", page) or status >= 400, (path, target)
    for path in ["//evil.example", "/\\evil.example", "/%2f%2fevil.example", "/https://evil.example"]:
        connection = http.client.HTTPSConnection(host, context=context, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404 and answer.getheader("location") is None, (path, answer.status)


def headers():
    """Pages carry the policy, and personal ones are kept by nobody."""
    jar = sign_in({})
    for path, personal in [("/", False), ("/sign-up", False), ("/docs", False), ("/accounts", True), ("/security", True), ("/devices", True), ("/nothing-here", False)]:
        status, found, page = send("GET", path, dict(jar) if personal else {}, None, {"Accept": "text/html"})
        policy = header(found, "content-security-policy") or ""
        for must in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'", "form-action 'self'"]:
            assert must in policy, (path, policy)
        assert "unsafe" not in policy and "*" not in policy, policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:|<style|\sstyle=", page), path
        assert int(re.search(r"max-age=(\d+)", header(found, "strict-transport-security"))[1]) >= 31536000
        assert header(found, "cross-origin-opener-policy") == "same-origin"
        assert header(found, "x-content-type-options") == "nosniff"
        assert header(found, "cache-control") == "no-store", path
    status, found, _ = send("GET", "/v1/me", {})
    assert status == 401 and header(found, "cache-control") == "no-store" and header(found, "strict-transport-security")


{"fixation": fixation, "forms": forms, "redirects": redirects, "headers": headers}[what]()
