"""python-socketio, its client on asyncio."""

import asyncio
import json
import resource
import sys
import time

import socketio

MESSAGE, LAST = "message:send", "session:removed"

task = json.loads(sys.argv[1])
events = task["Load"]["Events"]


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Log:
    """What came: how many messages, and how many behind another than was sent before them."""

    def __init__(self):
        self.count = self.disordered = self.first = self.last = 0

    def message(self, fingerprint):
        if not self.last:
            self.first = fingerprint
        elif fingerprint not in (self.last + 1, self.first):
            self.disordered += 1
        self.last = fingerprint
        self.count += 1


async def read(log):
    """Reads the stream, and returns what that cost."""
    ended = asyncio.Event()
    client = socketio.AsyncClient(reconnection=False)

    async def connect():
        await client.emit("authentication", {
            "tier": "user", "username": "bench", "password": "bench", "events": [MESSAGE, LAST]})

    async def message(payload):
        log.message(payload["fingerprint"])

    async def last(_):
        ended.set()

    client.on("connect", connect)
    client.on(MESSAGE, message)
    client.on(LAST, last)
    server, stream = task["URL"], task["Stream"]
    began, used = time.monotonic(), cpu()
    await client.connect(server, socketio_path=stream[len(server):] + "/rtm", transports=["websocket"])
    await ended.wait()
    spent = {"CPU": cpu() - used, "Wall": time.monotonic() - began}
    await client.disconnect()
    return spent


def main():
    log = Log()
    spent = asyncio.run(read(log))
    if log.count != events:
        sys.exit(f"{log.count} events came of {events}")
    print(json.dumps(spent | {"Disordered": log.disordered}))


main()
