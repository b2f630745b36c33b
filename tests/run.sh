#!/usr/bin/env bash
# Runs every test, skipping none: rules, endpoints, the store on both databases, and a stranger with a browser.
# Installs what is missing (PostgreSQL's server, Chromium and its driver, and the languages of the clients that others wrote: Node.js,
# Python, Go, Java) where it may; otherwise names the one command to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing+=(postgresql)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v cc >/dev/null || missing+=(build-essential)
command -v openssl >/dev/null || missing+=(openssl)
# The machine's own Python before whatever else is called so.
python=$(command -v /usr/bin/python3 || command -v python3 || echo /usr/bin/python3)
"$python" -c 'import ensurepip, venv' 2>/dev/null || { missing+=(python3-venv) && python=/usr/bin/python3; }
command -v go >/dev/null || missing+=(golang-go)
command -v javac >/dev/null || missing+=(default-jdk-headless)
command -v mvn >/dev/null || missing+=(maven)

if ((${#missing[@]})); then
    if ! command -v apt-get >/dev/null; then
        echo "The tests also need: ${missing[*]} (the names are Debian's). Install them, then run this again." >&2
        exit 1
    elif [[ $(id -u) == 0 ]]; then
        sudo=()
    elif sudo -n true 2>/dev/null; then
        sudo=(sudo -n)
    else
        echo "The tests also need: ${missing[*]}. Run this once, then try again:" >&2
        echo "    sudo apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
    echo "Installing ${missing[*]} …" >&2
    "${sudo[@]}" apt-get update -qq </dev/null >&2
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >&2
fi
if ! command -v cargo >/dev/null; then
    echo "The tests need Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer, with cargo in the PATH." >&2
    exit 1
fi
# The clients that others wrote, exactly as the lock files say; what is there already is neither fetched nor built again.
bash conformance-tests/clients/install.sh "$python" </dev/null >&2

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
# One package at a time: built together, the stranger's dependencies would switch on features inside hefu (serde_json's
# preserve_order for one), and the program under test would not be the one that people run.
cargo test -p hefu --locked --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
HEFU_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/hefu" # built by the line above, since tests/ needs it
export HEFU_BIN
cargo test -p conformance-tests --locked --no-fail-fast "$@" 2>&1 | tee -a "$log" || status=$?

# One line for all binaries together.
awk '/^test result:/ { for (i = 1; i < NF; i++) { if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i; if ($(i+1) ~ /^ignored/) s += $i } }
     END { printf "total: %d passed, %d failed, %d skipped\n", p, f, s; exit !p }' "$log"
exit "$status"
