"""Whether the time of a sign-in tells a known user name from an unknown one: timing.py HOST PORT CA COUNT.

Signs up half of COUNT names, then tries every name once with a wrong password, known and unknown ones by turns,
from many addresses of loopback. Prints, as JSON, the medians and how often a known name took longer than an unknown
one (0.5: one learns nothing).
"""

import http.client
import json
import random
import ssl
import statistics
import sys
import threading
import time

host, port, ca, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
context = ssl.create_default_context(cafile=ca)
context.check_hostname = False
PER_ADDRESS = 50


def connect(place):
    source = (f"127.0.{2 + place // 200}.{1 + place % 200}", 0)
    connection = http.client.HTTPSConnection(host, port, context=context, source_address=source, timeout=60)
    connection.connect()
    return connection


def post(connection, path, body):
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def name(number):
    return f"person-{number:05}"


def sign_up(lane):
    connection = connect(1000 + lane)
    for number in range(2 * lane, count, 4):
        body = {"username": name(number), "password": "a password of theirs", "email": f"{name(number)}@example.com"}
        assert post(connection, "/v1/users", body) == 201


# The even ones are known.
lanes = [threading.Thread(target=sign_up, args=(lane,)) for lane in range(2)]
for lane in lanes:
    lane.start()
for lane in lanes:
    lane.join()

numbers = list(range(count))
random.Random(7).shuffle(numbers)
took = {True: [], False: []}
connection = None
for turn, number in enumerate(numbers):
    if turn % PER_ADDRESS == 0:
        connection = connect(turn // PER_ADDRESS)
        post(connection, "/v1/recoveries/finish", {"recovery": "rcv_" + "0" * 64})
    body = {"username": name(number), "password": "not this one"}
    began = time.perf_counter()
    status = post(connection, "/v1/sessions", body)
    took[number % 2 == 0].append(time.perf_counter() - began)
    assert status == 401, status

known, unknown = sorted(took[True]), sorted(took[False])
longer, at = 0, 0
for value in known:
    while at < len(unknown) and unknown[at] < value:
        at += 1
    longer += at
print(json.dumps({
    "names": count,
    "known_median_ms": round(statistics.median(known) * 1000, 3),
    "unknown_median_ms": round(statistics.median(unknown) * 1000, 3),
    "known_is_longer": round(longer / (len(known) * len(unknown)), 4),
}))
