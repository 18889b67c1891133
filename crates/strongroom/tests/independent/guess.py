"""Guesses a person's password from many addresses of loopback: guess.py HOST PORT CA USERNAME COUNT.

Prints how often the bank answered with which status, as JSON.
"""

import collections
import http.client
import json
import ssl
import sys
import threading

host, port, ca, username, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
ADDRESSES = 200
THREADS = 8
context = ssl.create_default_context(cafile=ca)
context.check_hostname = False
statuses = collections.Counter()
lock = threading.Lock()


def guess(lane):
    for place in range(lane, ADDRESSES, THREADS):
        connection = http.client.HTTPSConnection(
            host, port, context=context, source_address=(f"127.0.{1 + place // 100}.{1 + place % 100}", 0), timeout=60
        )
        seen = collections.Counter()
        for n in range(count // ADDRESSES):
            body = json.dumps({"username": username, "password": f"guess {place} {n}"})
            connection.request("POST", "/v1/sessions", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            seen[answer.status] += 1
        connection.close()
        with lock:
            statuses.update(seen)


lanes = [threading.Thread(target=guess, args=(lane,)) for lane in range(THREADS)]
for lane in lanes:
    lane.start()
for lane in lanes:
    lane.join()
print(json.dumps(statuses))
