"""What a description cannot say: which users, rooms, messages and cursors exist.

It says what a valid `userId` looks like, not whose it is. Before a request that is meant to be accepted goes out, most
ids in it are replaced by ones that exist. Requests that are meant to be refused are left as they are.
"""

import json
import os
import random

import schemathesis

USERS = json.loads(os.environ["CONFORMANCE_USERS"])
ROOMS = json.loads(os.environ["CONFORMANCE_ROOMS"])
MESSAGES = "/api/v1/messages"
PAYLOADS = {
    "text": {"text": "edited"},
    "image": {"imageUrl": "https://example.org/a.png"},
    "file": {"fileUrl": "https://example.org/a.pdf", "fileName": "a.pdf"},
    "video": {"url": "https://example.org/a.mp4"},
    "audio": {"url": "https://example.org/a.mp3"},
    "location": {"latitude": 1, "longitude": 2},
    "sticker": {"stickerId": "wave"},
    "rich_content": {"any": ["thing"]},
}
# Learnt from answers: message id → type, list → its cursors, and the paths of what is deleted.
posted = {}
cursors = {}
deleted = set()


def list_of(case):
    """The list that a cursor belongs to: a search is a list of its own, and a blank query means the full list."""
    sought = case.query.get("query") if isinstance(case.query, dict) else None
    return case.operation.path, bool(str(sought or "").strip())


def often():
    return random.random() < 0.8


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    """The lines of an import, which the description has as one text."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", errors="ignore")


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """What is of server keys is not generated for a user: `X-On-Behalf-Of` and `system` messages are always refused, and
    `senderId` is ignored, whatever it is."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "parameters" in operation:
                operation["parameters"] = without(operation["parameters"], "OnBehalfOf")
    schemas = raw_schema["components"]["schemas"]
    if "Post" in schemas:
        schemas["Post"]["oneOf"] = without(schemas["Post"]["oneOf"], "SystemPost")
        for post in schemas["Post"]["oneOf"]:
            del schemas[post["$ref"].rsplit("/", 1)[1]]["properties"]["senderId"]


def without(references, name):
    return [reference for reference in references if not reference.get("$ref", "").endswith("/" + name)]


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    path, method = case.operation.path, case.method.upper()
    if isinstance(case.query, dict) and "cursor" in case.query:
        known = cursors.get(list_of(case))
        if known:
            case.query["cursor"] = random.choice(known)
        else:
            del case.query["cursor"]
    # A mark needs the seq of its event, which no schema can say.
    if isinstance(case.query, dict) and "mark" in case.query and str(case.query.get("after") or 0).strip("0 ") == "":
        del case.query["mark"]
    # External ids are for keys of servers.
    for name, value in (case.path_parameters or {}).items():
        if str(value).startswith(("ext:", "ext%3A")):
            case.path_parameters[name] = random.choice(USERS)
    # Steps of a scenario have ids from the steps before.
    if "stateful" not in case.meta.phase.name.name.lower():
        replace_path_ids(case.path_parameters, path, method)
    if isinstance(case.body, dict):
        replace_body_ids(case, path, method)


def replace_path_ids(parameters, path, method):
    # The rooms must stay, and the caller in them.
    ends = path == "/api/v1/rooms/{id}" and method == "DELETE" or path.endswith("/leave")
    if path.startswith("/api/v1/rooms/{id}") and not ends and often():
        parameters["id"] = random.choice(ROOMS)
    if "{userId}" in path and often():
        parameters["userId"] = random.choice(USERS)
    if path == "/api/v1/users/{id}" and often():
        parameters["id"] = random.choice(USERS)
    if path == MESSAGES + "/{id}" and posted and often():
        parameters["id"] = random.choice(list(posted))


def replace_body_ids(case, path, method):
    body = case.body
    if path == "/api/v1/rooms" and body.get("memberIds") is not None:
        count = 1 if body.get("type") == "direct" else min(len(body["memberIds"]), len(USERS))
        body["memberIds"] = random.sample(USERS, count)
    elif path.endswith("/members"):
        body["userId"] = random.choice(USERS)
    elif path == MESSAGES:
        if often():
            body["roomId"] = random.choice(ROOMS)
        # It would have to be in that room, so a post is needed first; the servers' own tests do that.
        body.pop("replyToMessageId", None)
        # A file is uploaded for its message, by its sender; they do that, too.
        if isinstance(body.get("payload"), dict) and "fileId" in body["payload"]:
            body["payload"] = PAYLOADS.get(body.get("messageType"), body["payload"])
    elif path == MESSAGES + "/{id}":
        kind = posted.get(case.path_parameters.get("id"))
        if kind is not None:
            body["payload"] = PAYLOADS[kind]


@schemathesis.check
def deleted_leaves_what_the_contract_says(context, response, case):
    """A tombstone of a message, an archived room."""
    if case.method.upper() != "GET" or response.status_code != 200 or case.formatted_path not in deleted:
        return
    answer = response.json()
    if case.operation.path == MESSAGES + "/{id}":
        assert answer["isDeleted"] and answer["contentJson"] == "{}", "a deleted message is no tombstone"
    elif case.operation.path == "/api/v1/rooms/{id}":
        assert "archivedAt" in answer, "an archived room is not archived"


@schemathesis.hook
def after_call(context, case, response):
    if case.method.upper() == "DELETE" and response.status_code in (200, 204):
        deleted.add(case.formatted_path)
    if response.status_code not in (200, 201) or "json" not in response.headers.get("content-type", [""])[0]:
        return
    answer = response.json()
    if not isinstance(answer, dict):
        return
    if case.operation.path == MESSAGES and "messageId" in answer:
        posted[answer["messageId"]] = answer["messageType"]
    if "nextCursor" in answer:
        # A member list's cursor fits every room's.
        cursors.setdefault(list_of(case), []).append(answer["nextCursor"])
