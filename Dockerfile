# The three servers and the tool `chat` in one image; the container's command chooses one of them.
#
#   docker compose build                                      the image
#   docker build --target symbols --output build-symbols .    debug information of the same build, in build-symbols/

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils libhiredis-dev libpq-dev libssl-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src

# The dependencies change seldom: a layer of their own.
COPY Package.* ./
COPY Clients/Swift/Package.swift ./Clients/Swift/
RUN swift package resolve

COPY Clients ./Clients
COPY Sources ./Sources
COPY Tests ./Tests
# The Swift library goes into the executables. Debug information, more than half of each, goes into files of its own
# (docs/operations.md, "The image").
RUN set -e; \
    for product in chat ChatSystemServer ChatMessageServer ChatWebSocketServer; do \
        swift build --configuration release --static-swift-stdlib --product "$product"; \
    done; \
    mkdir /staging /symbols; \
    cd "$(swift build --configuration release --static-swift-stdlib --show-bin-path)"; \
    for program in chat ChatSystemServer ChatMessageServer ChatWebSocketServer; do \
        objcopy --only-keep-debug --compress-debug-sections "$program" "/symbols/$program.debug"; \
        objcopy --strip-all "--add-gnu-debuglink=/symbols/$program.debug" "$program" "/staging/$program"; \
    done

FROM scratch AS symbols
COPY --from=build /symbols/ /

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libhiredis0.14 libpq5 libssl3 zlib1g \
    && rm -rf /var/cache/apt/* /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin chat \
    && install --directory --owner chat --mode 0700 /data
COPY --from=build /staging/ /usr/local/bin/
COPY LICENSE NOTICE /usr/share/doc/chat/
USER chat
WORKDIR /data
ENV CHAT_HOST=0.0.0.0 CHAT_DATA_DIR=/data
STOPSIGNAL SIGTERM
CMD ["chat", "--help"]
