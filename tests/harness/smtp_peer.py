"""A mail server that accepts everything and keeps it: one JSON file a message, in the folder that it is told.

Usage: smtp_peer.py FOLDER [PORT]. It listens on PORT, or a free port, of the loopback address and writes the number
into FOLDER/port once it listens. Messages that an earlier run kept stay. While the file FOLDER/refuse is there, every
recipient whose address begins with its content is refused for ever (550); while FOLDER/delay is there, for the time being
(451). While FOLDER/hostility is there, some messages are put off, refused, not kept, not answered or answered late: how many
per cent of each, and the seed that decides which, stand in it. While
FOLDER/drop is there, the connection ends after each message was taken, without an answer; while FOLDER/slow is there, so
many seconds pass before the answer.
"""

import asyncio
import base64
import hashlib
import json
import pathlib
import re
import sys

from aiosmtpd.smtp import SMTP


def begins_with_content_of(file, address):
    return file.exists() and address.startswith(file.read_text(encoding="utf-8").strip())


class Keeper:
    def __init__(self, folder):
        self.folder = folder
        self.count = len(list(folder.glob("*.json")))
        self.attempts = {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        if begins_with_content_of(self.folder / "refuse", address):
            return "550 5.1.1 no such mailbox"
        if begins_with_content_of(self.folder / "delay", address):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def fate(self, content):
        """What becomes of a message: a function of the seed, its Message-ID and the number of the attempt."""
        file = self.folder / "hostility"
        if not file.exists():
            return "keep"
        hostility = json.loads(file.read_text(encoding="utf-8"))
        name = re.search(rb"(?im)^message-id:\s*(\S+)", content).group(1).decode("ascii")
        self.attempts[name] = self.attempts.get(name, 0) + 1
        drawn = hashlib.sha256(f"{hostility['seed']} {name} {self.attempts[name]}".encode()).digest()
        percent = int.from_bytes(drawn[:8], "big") % 100
        for fate in ("delay", "refuse", "lose_answer", "lose_message", "dawdle"):
            if percent < hostility[fate]:
                return fate
            percent -= hostility[fate]
        return "keep"

    async def handle_DATA(self, server, session, envelope):
        fate = self.fate(envelope.original_content)
        if fate == "delay":
            return "451 4.3.0 try again later"
        if fate == "refuse":
            return "554 5.7.1 not wanted"
        if fate == "lose_message":
            server.transport.abort()
            return "250 nobody hears this"
        if fate == "dawdle":
            await asyncio.sleep(0.5)
        # Decided before the message can be seen: a test that sees it may change the rules.
        lost = fate == "lose_answer" or (self.folder / "drop").exists()
        slow = self.folder / "slow"
        seconds = float(slow.read_text(encoding="ascii")) if slow.exists() else 0
        self.keep(envelope, not lost)
        await asyncio.sleep(seconds)
        if lost:
            server.transport.abort()
        return "250 OK"

    def keep(self, envelope, answered):
        self.count += 1
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": base64.b64encode(envelope.original_content).decode("ascii"),
            "answered": answered,
        }
        half = self.folder / "message.half"
        half.write_text(json.dumps(message), encoding="utf-8")
        half.rename(self.folder / f"{self.count:08}.json")


async def serve(folder, port=0):
    loop = asyncio.get_running_loop()
    keeper = Keeper(folder)
    server = await loop.create_server(lambda: SMTP(keeper, enable_SMTPUTF8=True), "127.0.0.1", port)
    half = folder / "port.half"
    half.write_text(str(server.sockets[0].getsockname()[1]), encoding="ascii")
    half.rename(folder / "port")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:])))
