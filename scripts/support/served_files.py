"""A proxy in front of a system server that serves the web client and the JavaScript library from the checkout, so that a
change of either needs no build of the servers. The headers are the server's own."""

import http.client
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from stack import ROOT

PAGE = ROOT / "Sources" / "ChatSystemServer" / "Presentation" / "WebClient" / "Files"
LIBRARY = ROOT / "Clients" / "JavaScript" / "dist"
POLICY = ROOT / "Sources" / "ChatSystemServer" / "Presentation" / "WebClient" / "WebClient.swift"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
CONFIGURATION = "/client/v1/configuration.json"
# Of one connection, not of the message.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


def file_of(path):
    """The file of the checkout for a path, or None."""
    if path == "/":
        return PAGE / "index.html"
    for prefix, folder in (("/web/", PAGE), ("/client/v1/", LIBRARY)):
        if path.startswith(prefix) and re.fullmatch(r"[a-z0-9/-]+\.(?:js|css|svg)", path[len(prefix):]):
            file = folder / path[len(prefix):]
            return file if file.is_file() else None
    return None


class ServedFiles:
    """`with ServedFiles(stack.place) as served:` listens at `served.url`."""

    def __init__(self, place, mode="token"):
        upstream = urlsplit(place["system"])
        sockets = urlsplit(place["webSocket"])
        configuration = json.dumps({
            "system": place["system"], "messages": place["message"], "sockets": f"ws://{sockets.netloc}", "authMode": mode,
        }).encode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without it each small answer waits for the acknowledgement of its head.
            disable_nagle_algorithm = True

            def handle_all(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                path = urlsplit(self.path).path
                file = file_of(path)
                try:
                    connection = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=30)
                    fields = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                    connection.request("GET" if file else self.command, "/" if file else self.path, body, fields)
                    answer = connection.getresponse()
                    status, data, headers = answer.status, answer.read(), answer.getheaders()
                    connection.close()
                except OSError:
                    self.close_connection = True
                    return self.connection.close()
                headers = [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]
                if path == CONFIGURATION:
                    status, data, headers = 200, configuration, [("Content-Type", "application/json")]
                if file:
                    status, data = 200, file.read_bytes()
                    replaced = {"content-type": TYPES[file.suffix] + "; charset=utf-8"}
                    headers = [(name, value) for name, value in headers if name.lower() not in {*replaced, "etag"}]
                    headers = [(name, policy_of_checkout(value) if name.lower() == "content-security-policy" else value)
                               for name, value in headers] + [("Content-Type", replaced["content-type"])]
                try:
                    self.respond(status, headers, data)
                except OSError:
                    # The page was closed meanwhile.
                    self.close_connection = True

            def respond(self, status, headers, data):
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_all

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def policy_of_checkout(policy):
    """The policy of the server, with what the checkout changes in it: where pictures, sounds and event streams come from."""
    sources = dict(re.findall(r"(img-src|media-src) ([^;\\]+)", POLICY.read_text()))
    kept = [part for part in policy.split("; ") if part.split(" ")[0] not in sources]
    policy = "; ".join([*kept, *(f"{name} {value.strip()}" for name, value in sources.items())])
    return re.sub(r"ws://(\S+?)(?=;| |$)(?! http)", r"ws://\1 http://\1", policy)
