"""A backend with users of its own, before the chat: it signs them in, makes their rooms, and answers what they write."""

import json
import os
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlparse

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

SYSTEM, MESSAGES, KEY = os.environ["CHAT_SYSTEM_URL"], os.environ["CHAT_MESSAGE_URL"], os.environ["CHAT_KEY"]
ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:8000")
# In your product this is a table, with hashes of passwords.
USERS = {"ann": {"name": "Ann", "password": "apple"}, "ben": {"name": "Ben", "password": "berry"}}
BOT = "ext:shop/bot"
KEY_FILE, CURSOR_FILE = Path("signing-key.pem"), Path("cursor")


def chat(server, method, path, body=None, user=None):
    """One call with the key, as the installation or on behalf of a user; again while the chat is away."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    headers |= {"X-On-Behalf-Of": quote(user, safe="")} if user else {}
    while True:
        try:
            data = json.dumps(body).encode() if body is not None else None
            request = urllib.request.Request(f"{server}/api/v1{path}", data, headers, method=method)
            with urllib.request.urlopen(request, timeout=90) as answer:
                return json.load(answer)
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429:
                raise
            time.sleep(1)


if not KEY_FILE.exists():
    KEY_FILE.touch(mode=0o600)
    KEY_FILE.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
SIGNING_KEY = jwt.algorithms.OKPAlgorithm().prepare_key(KEY_FILE.read_bytes())


class Backend(BaseHTTPRequestHandler):
    def do_GET(self):
        """The public key, by which the chat knows our tokens (issuers.json)."""
        public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(SIGNING_KEY.public_key()))
        self.answer(200, {"keys": [public | {"kid": "1", "use": "sig", "alg": "EdDSA"}]})

    def do_POST(self):
        """`{user, password}`: our own sign-in. The client takes the token to the chat's `POST /auth/exchange`."""
        asked = json.loads(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 10_000)))
        user = USERS.get(asked["user"])
        if not user or user["password"] != asked["password"]:
            return self.answer(401, {})
        claims = {"iss": ISSUER, "aud": "chat", "sub": asked["user"], "name": user["name"], "exp": int(time.time()) + 300}
        self.answer(200, {"token": jwt.encode(claims, SIGNING_KEY, "EdDSA", {"kid": "1"})})

    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


def make_rooms():
    for name, shown in [("bot", "Shop"), *((name, user["name"]) for name, user in USERS.items())]:
        chat(SYSTEM, "PUT", f"/admin/users/shop%2F{name}", {"displayName": shown})
    for name in USERS:
        members = [{"userId": f"ext:shop/{name}"}, {"userId": BOT}]
        chat(SYSTEM, "PUT", f"/admin/rooms/support-{name}", {"name": "Support", "type": "private", "members": members})


def answer_messages():
    """Each message is answered once, whatever is killed: the answer's clientMessageId is made of the message's id."""
    bot = chat(SYSTEM, "GET", "/users/by-external-id/shop%2Fbot")["userId"]
    cursor = CURSOR_FILE.read_text() if CURSOR_FILE.exists() else "begin"
    while True:
        page = chat(MESSAGES, "GET", f"/changes?after={quote(cursor)}&eventType=message&wait=30")
        for event in (item["event"] for item in page["items"]):
            text = json.loads(event["contentJson"]).get("text")
            if text and event["senderId"] != bot and event["roomId"].startswith("support-"):
                answer = {"roomId": event["roomId"], "messageType": "text", "payload": {"text": f"We read: {text}"}}
                chat(MESSAGES, "POST", "/messages", answer | {"clientMessageId": f"answer-{event['messageId']}"}, BOT)
        cursor = page["next"]
        CURSOR_FILE.with_suffix(".new").write_text(cursor)
        CURSOR_FILE.with_suffix(".new").replace(CURSOR_FILE)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", urlparse(ISSUER).port), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    make_rooms()
    answer_messages()
