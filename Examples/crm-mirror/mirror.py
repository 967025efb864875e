"""A receiver of webhooks that keeps a SQLite table of all messages, equal to the rooms' logs.

    WEBHOOK_SECRET=whsec_… python3 mirror.py PORT DATABASE

Deliveries come at least once and in order. Each is applied in one transaction, with the seq up to which its rooms are known:
what comes again is passed over, and an answer is given only for what is on the disk.
"""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
TOLERANCE_S = 300
# A hundred events, each with at most 64 KiB that JSON may escape.
LARGEST_BODY = 64 * 1024 * 1024
TABLES = """
CREATE TABLE IF NOT EXISTS rooms (room_id TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    message_id INTEGER PRIMARY KEY, room_id TEXT NOT NULL, seq INTEGER NOT NULL, sender_id INTEGER NOT NULL,
    type TEXT NOT NULL, content TEXT NOT NULL, is_edited INTEGER NOT NULL, is_deleted INTEGER NOT NULL);
"""


def is_signed(headers, body):
    """Standard Webhooks: any one of the signatures, and a time near ours, so that nothing old is sent again by others."""
    identifier, seconds = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not seconds.isdecimal() or abs(time.time() - int(seconds)) > TOLERANCE_S:
        return False
    expected = hmac.new(SECRET, f"{identifier}.{seconds}.".encode() + body, hashlib.sha256).digest()
    wanted = b"v1," + base64.b64encode(expected)
    given = headers.get("webhook-signature", "").encode("ascii", "replace").split(b" ")
    return any([hmac.compare_digest(wanted, signature) for signature in given])


def apply(database, event):
    """Every event about a message has what the message is now, so it is written as it comes."""
    if event["eventType"] == "message":
        database.execute(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (event["messageId"], event["roomId"], event["seq"], event["senderId"], event["messageType"],
             event["contentJson"], event["isEdited"], event["isDeleted"]))
    elif event["eventType"] in ("message_edited", "message_deleted"):
        database.execute(
            "UPDATE messages SET content = ?, is_edited = ?, is_deleted = ? WHERE message_id = ?",
            (event["contentJson"], event["isEdited"], event["isDeleted"], event["messageId"]))


def apply_all(database, items):
    with database:
        for event in (item["event"] for item in items):
            if "seq" not in event:
                continue
            # A room's events ascend without a gap: what is not new was applied before.
            known = database.execute(
                "INSERT INTO rooms VALUES (?, ?) ON CONFLICT (room_id) DO UPDATE SET seq = excluded.seq "
                "WHERE seq < excluded.seq", (event["roomId"], event["seq"]))
            if known.rowcount == 1:
                apply(database, event)


class Receiver(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        length = int(self.headers.get("Content-Length", -1))
        if not 0 <= length <= LARGEST_BODY:
            return self.answer(413)
        body = self.rfile.read(length)
        if not is_signed(self.headers, body):
            return self.answer(401)
        apply_all(self.server.database, json.loads(body)["items"])
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    server.database = sqlite3.connect(sys.argv[2])
    server.database.executescript(TABLES)
    server.serve_forever()
