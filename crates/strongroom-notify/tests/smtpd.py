"""A mail server on loopback: smtpd.py MODE CERTIFICATE KEY FOLDER. MODE is starttls, tls or bare.

Prints its port, writes each mail into the folder, and ends with its standard input.
"""

import asyncio
import itertools
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

mode, certificate, key, folder = sys.argv[1:]
count = itertools.count()


class Keep:
    async def handle_DATA(self, server, session, envelope):
        name = pathlib.Path(folder) / f"{next(count):03}.eml"
        name.with_suffix(".part").write_bytes(envelope.content)
        name.with_suffix(".part").rename(name)
        return "250 kept"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"bank" and data.password == b"a mail password"
    return AuthResult(success=right, handled=right)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


def server():
    options = {"authenticator": authenticate, "auth_required": mode != "bare"}
    if mode == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if mode == "tls":
        options |= {"auth_require_tls": False}
    return SMTP(Keep(), hostname="localhost", **options)


async def serve():
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
