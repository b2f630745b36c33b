#!/usr/bin/env bash
# Builds every fuzz target with the stable compiler and runs each for a bounded time: fuzz/run.sh [SECONDS, 30 unless told].
# Prints one line for each target; ends with a failure if one crashed. Needs a C++ compiler, neither nightly nor cargo-fuzz.
# Seeds are in corpus/; what a run finds goes to corpus/ of the target folder (target/, or fuzz/ in CARGO_TARGET_DIR) and is its start
# the next time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-30}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || {
    echo "usage: fuzz/run.sh [SECONDS]" >&2
    exit 2
}
host=$(rustc -vV | sed -n 's/^host: //p')

# What cargo-fuzz passes with `--sanitizer none`. With --target they do not touch build scripts and macros.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table --cfg fuzzing -Ccodegen-units=1"
# The versions the house is built from; cargo adds libfuzzer-sys.
[[ Cargo.lock -nt ../Cargo.lock ]] || cp ../Cargo.lock Cargo.lock
target=${CARGO_TARGET_DIR:+$CARGO_TARGET_DIR/fuzz}
target=${target:-$PWD/target}
cargo build --quiet --bins --target "$host" --target-dir "$target"

status=0
for source in fuzz_targets/*.rs; do
    name=$(basename "$source" .rs)
    mkdir -p "$target/corpus/$name" "$target/crashes/$name" "corpus/$name"
    log=$target/crashes/$name.log
    if "$target/$host/debug/$name" "$target/corpus/$name" "corpus/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$target/crashes/$name/" >"$log" 2>&1; then
        echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs"
    else
        status=1
        echo "$name: FAILED; the input is in $target/crashes/$name/, the whole output in $log:"
        grep -a -A1 'panicked at' "$log" || tail -n 25 "$log"
    fi
done
exit "$status"
