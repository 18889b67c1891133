"""What other field encryption costs on one core, for comparison with `strongroom benchmark fields`.

Usage: fields_peers.py [--seconds N] [--program PATH]

Fernet (the `cryptography` package) and, where it is installed, Tink (the `tink` package) seal and open values
of 16 bytes, in turns; Tink authenticates a context of the size of ours, which Fernet cannot. Prints one JSON
object. With --program, that program's benchmark runs first and the object has the ratios too.
"""

import argparse
import json
import subprocess
import time

from cryptography.fernet import Fernet

TURN_S = 0.05
CALLS = 200
VALUES = [b"%016d" % i for i in range(CALLS)]
CONTEXT = bytes(73)


class Part:
    """One peer's seal or open: calls made and time spent."""

    def __init__(self, call):
        self.call, self.calls, self.spent = call, 0, 0.0

    def take_turn(self, is_counted):
        since, calls, spent = time.perf_counter(), 0, 0.0
        while spent < TURN_S:
            for i in range(CALLS):
                self.call(i)
            calls += CALLS
            spent = time.perf_counter() - since
        if is_counted:
            self.calls += calls
            self.spent += spent

    def rate_per_s(self):
        return round(self.calls / self.spent)


def fernet():
    peer = Fernet(Fernet.generate_key())
    sealed = [peer.encrypt(value) for value in VALUES]
    yield "fernet_seal_per_s", Part(lambda i: peer.encrypt(VALUES[i]))
    yield "fernet_open_per_s", Part(lambda i: peer.decrypt(sealed[i]))


def tink():
    try:
        import tink
        from tink import aead
    except ImportError:
        return
    aead.register()
    templates = {
        "tink_aes_gcm": aead.aead_key_templates.AES256_GCM,
        "tink_xaes_gcm": aead.aead_key_templates.XAES_256_GCM_192_BIT_NONCE,
    }
    for name, template in templates.items():
        peer = tink.new_keyset_handle(template).primitive(aead.Aead)
        sealed = [peer.encrypt(value, CONTEXT) for value in VALUES]
        yield f"{name}_seal_per_s", Part(lambda i, peer=peer: peer.encrypt(VALUES[i], CONTEXT))
        yield f"{name}_open_per_s", Part(lambda i, peer=peer, sealed=sealed: peer.decrypt(sealed[i], CONTEXT))


def measured(seconds):
    parts = dict([*fernet(), *tink()])
    for turn in range(1 + max(1, round(seconds / TURN_S / len(parts)))):
        for part in parts.values():
            part.take_turn(is_counted=turn > 0)
    return {name: part.rate_per_s() for name, part in parts.items()}


def ours(program, seconds):
    command = [program, "benchmark", "fields", "--json", "--seconds", str(seconds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def ratios(ours, peers):
    """Ours to each peer's; of Tink's primitives, the fastest counts."""
    for verb in ("seal", "open"):
        rate = ours[f"{verb}_per_s"]
        yield f"{verb}_to_fernet", round(rate / peers[f"fernet_{verb}_per_s"], 1)
        tink_rates = [rate for name, rate in peers.items() if name.startswith("tink") and f"_{verb}_" in name]
        if tink_rates:
            yield f"{verb}_to_tink", round(rate / max(tink_rates), 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--program")
    args = parser.parse_args()
    found = ours(args.program, args.seconds) if args.program else {}
    peers = measured(args.seconds)
    if found:
        peers |= dict(ratios(found, peers))
    print(json.dumps(found | peers))


main()
