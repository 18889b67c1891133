"""The web pages as a browser without scripts sees them: sign up, enrol, open an account, sign out and in again.

Usage: pages.py ADDRESS CA.pem. Python's own library only, and oathtool for the codes.
"""

import html
import http.cookiejar
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

address, ca = sys.argv[1:]
cookies = http.cookiejar.CookieJar()
context = ssl.create_default_context(cafile=ca)
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor(cookies))
same_site = {"Origin": address, "Sec-Fetch-Site": "same-origin"}


def get(path):
    answer = opener.open(address + path)
    return answer.url, answer.read().decode(), answer.headers


def submit(page, action, fields, headers=same_site):
    """Sends the page's form with this action, its hidden fields included."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page, re.S).group(0)
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    data = {name: html.unescape(value) for name, value in hidden} | fields
    request = urllib.request.Request(address + action, urllib.parse.urlencode(data).encode(), headers)
    try:
        answer = opener.open(request)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.url, answer.read().decode(), answer.status


def totp(secret, ahead_s=0):
    command = ["oathtool", "--totp", "-b", secret, "--now", f"now + {ahead_s} seconds"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


_, page, headers = get("/sign-up")
policy = headers["content-security-policy"]
assert "'unsafe-inline'" not in policy and "default-src 'none'" in policy, policy
assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:", page), "no script is in the page itself"

person = {"username": "erik.plain", "password": "no scripts in here", "email": "erik@example.com"}
url, answer, status = submit(page, "/sign-up", person | {"csrf": "forged"})
assert status == 403, "a form with another token is refused"
url, answer, status = submit(page, "/sign-up", person, {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
assert status == 403, "a form from another site is refused"
url, page, status = submit(page, "/sign-up", person)
assert url.endswith("/enrol") and status == 200, (url, status, page)

secret = re.search(r'id="secret">([^<]*)<', page).group(1).replace(" ", "")
url, page, status = submit(page, "/enrol", {"code": totp(secret)})
assert "/accounts" in url, (url, page)
url, page, status = submit(page, "/accounts", {"name": "Plain", "currency": "USD"})
assert "/accounts/acct_" in url and "Plain" in page, (url, page)
held = {cookie.name: cookie for cookie in cookies}
session = held["__Host-session"]
assert session.secure and session.path == "/" and not session.domain_specified, session
assert session.has_nonstandard_attr("HttpOnly") and session.get_nonstandard_attr("SameSite") == "Strict", session

_, page, _ = get("/transfers/new")
assert "<noscript>" in page, "the page says that signing needs a script"
url, page, status = submit(page, "/sign-out", {})
assert "__Host-session" not in {cookie.name for cookie in cookies}, "signing out takes the cookie away"

_, page, _ = get("/")
url, page, status = submit(page, "/sign-in", {"username": person["username"], "password": person["password"]})
assert url.endswith("/sign-in/code"), url
url, page, status = submit(page, "/sign-in/code", {"code": totp(secret, 30)})
assert "/accounts" in url and "Plain" in page, (url, page)
