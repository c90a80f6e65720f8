# syntax=docker/dockerfile:1
# The program and its policies on the Debian release that it was built on: librdkafka links that release's OpenSSL and zlib.

FROM rust:1.95.0-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential libssl-dev pkg-config python3 zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# What was compiled stays in the cache from one build to the next; only the program leaves it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package fundwatch \
    && install -D target/dist/fundwatch /out/fundwatch

FROM debian:12.12-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 fundwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/fundwatch --shell /usr/sbin/nologin fundwatch \
    && install -d -o fundwatch -g fundwatch -m 0700 /var/lib/fundwatch
COPY --from=build /out/fundwatch /usr/local/bin/fundwatch
COPY rules/policies /usr/share/fundwatch/policies
COPY rules/calendars /usr/share/fundwatch/calendars
LABEL org.opencontainers.image.title="fundwatch" \
      org.opencontainers.image.description="Supervision and early warning for a public pension fund" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
WORKDIR /var/lib/fundwatch
VOLUME /var/lib/fundwatch
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/fundwatch"]
CMD ["--help"]
