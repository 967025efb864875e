# The three servers and the tool `chat` in one image; which of them runs is the container's command.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libhiredis-dev libpq-dev libssl-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src

# The dependencies change seldom: a layer of their own.
COPY Package.* ./
RUN swift package resolve

COPY Sources ./Sources
COPY Tests ./Tests
# The Swift library goes into the executables.
RUN for product in chat ChatSystemServer ChatMessageServer ChatWebSocketServer; do \
        swift build --configuration release --static-swift-stdlib --product "$product" || exit 1; \
    done \
    && mkdir /staging \
    && cd "$(swift build --configuration release --static-swift-stdlib --show-bin-path)" \
    && cp chat ChatSystemServer ChatMessageServer ChatWebSocketServer /staging/ \
    && find . -maxdepth 1 -name '*.resources' -exec cp -R {} /staging/ ';'

FROM swift:6.3-bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libhiredis0.14 libpq5 libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin chat \
    && install --directory --owner chat --mode 0700 /data
COPY --from=build /staging/ /usr/local/bin/
COPY LICENSE NOTICE /usr/share/doc/chat/
USER chat
WORKDIR /data
ENV CHAT_HOST=0.0.0.0 CHAT_DATA_DIR=/data
STOPSIGNAL SIGTERM
CMD ["chat", "--help"]
