# What one types most; CI runs `.ci/run`, which is `check` plus what a fresh machine needs.

# fmt, clippy, all tests on both databases, dependencies
check: fmt clippy test

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# all tests, none skipped; installs PostgreSQL, Chromium and the clients' languages where it may
test:
    bash tests/run.sh

# rules and endpoints only, while writing
quick *ARGS:
    cargo test --lib {{ARGS}}

# the whole federation on this machine
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

bench *ARGS:
    cargo bench {{ARGS}}

# every reader of strangers' bytes, SECONDS each (30 unless told)
fuzz *SECONDS:
    bash fuzz/run.sh {{SECONDS}}

# advisories too; needs `cargo install --locked cargo-deny`
deny:
    cargo deny check
