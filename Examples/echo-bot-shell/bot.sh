#!/bin/sh
# Answers every message of a room once, whatever is killed in between: `bot.sh USER ROOM` against the servers at CHAT_URL, in
# `trusted` mode. Needs `chat` and `jq`. The position is kept in the file `echo-bot`, once a message is answered.
set -eu
user=$1 room=$2
seq=0 mark=
[ ! -e echo-bot ] || read -r seq mark <echo-bot
chat tail "$room" --trusted-user "$user" --after "$seq" ${mark:+--mark "$mark"} --json |
    while IFS= read -r event; do
        id=$(printf %s "$event" | jq -r --argjson me "$user" 'select(.eventType == "message" and .senderId != $me) | .messageId')
        if [ -n "$id" ]; then
            text=$(printf %s "$event" | jq -r '.contentJson | fromjson | .text // empty')
            # The same key is the same message, also where this is killed before the position is kept.
            [ -z "$text" ] || chat post "$room" "You said: $text" --trusted-user "$user" --key-prefix "echo-$id"
        fi
        printf %s "$event" | jq -r '"\(.seq) \(.mark)"' >echo-bot.new
        mv echo-bot.new echo-bot
    done
