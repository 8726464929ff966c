# Both can be substituted, for a mirror or for other builds of the same: the builder's C library must not be newer than the runtime's.
# The same sources and the same images, named by their digests, make the same program: docs/supply-chain.md.
ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS builder
WORKDIR /build

# No folder of the machine that builds it, neither in Rust's messages nor in C's.
ENV RUSTFLAGS="--remap-path-prefix=/build=/portcullis --remap-path-prefix=/usr/local/cargo=/cargo --remap-path-prefix=/usr/local/rustup=/rustup" \
    CFLAGS="-ffile-prefix-map=/build=/portcullis -ffile-prefix-map=/usr/local/cargo=/cargo"

# The dependencies in a layer of their own, rebuilt only when the manifests or the other crates of the workspace change: the
# real manifests over empty sources.
COPY Cargo.toml Cargo.lock ./
COPY bcrypt-lanes bcrypt-lanes
COPY benches benches
COPY client client
RUN mkdir src \
    && echo 'fn main() {}' > build.rs \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r build.rs src

COPY build.rs ./
COPY migrations migrations
COPY src src
# Cargo compares times, and a source's may be older than the empty one's build: forget the package's own artefacts.
RUN cargo clean --release --locked -p portcullis \
    && cargo build --release --locked --bin portcullis

FROM ${RUNTIME_IMAGE}
# Seconds since 1970, where given: then the files that say when a user was made say that, too.
ARG SOURCE_DATE_EPOCH
# Fixed, so that the owner of a mounted folder can be set from outside.
RUN groupadd --gid 10001 portcullis \
    && useradd --uid 10001 --gid portcullis --no-create-home --home-dir /app --shell /usr/sbin/nologin portcullis \
    && install -d -o portcullis -g portcullis -m 0750 /app /app/data
COPY --from=builder /build/target/release/portcullis /usr/local/bin/portcullis
USER portcullis
WORKDIR /app
# The embedded database, the secret made at the first start, mails without a server.
VOLUME /app/data
ENV HOST=0.0.0.0
EXPOSE 8080
STOPSIGNAL SIGTERM
# By the program itself: the slim image has no HTTP client, and the listener may speak TLS.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["portcullis", "doctor", "--ready"]
ENTRYPOINT ["portcullis"]
