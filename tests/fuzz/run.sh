#!/usr/bin/env bash
# Fuzzes one target, or all, with libFuzzer on the stable compiler.
#
#   tests/fuzz/run.sh 1800                    # each target for 30 minutes
#   tests/fuzz/run.sh 60 envelopes            # one target for a minute
#
# What is found lies in tests/fuzz/artifacts/; once mended, put it into tests/fuzz/corpus/<target>/, where the plain test
# `no_input_brings_a_reader_down` keeps it.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?how many seconds for each target}
shift
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(ls corpus)
# What `cargo fuzz` sets, without a nightly compiler: coverage for libFuzzer, and its entry point.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --quiet --target "$host" --target-dir ../../target/fuzz
for target in "${targets[@]}"; do
    mkdir -p "../../target/fuzz/corpus/$target" artifacts
    echo "== $target for $seconds s"
    CASEBRIDGE_FUZZ=$target "../../target/fuzz/$host/release/fuzz" "../../target/fuzz/corpus/$target" "corpus/$target" \
        -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="artifacts/$target-" 2>&1 | grep -E "^#.*(DONE|NEW_FUNC)|stat::|ERROR|SUMMARY|panicked" | grep -v NEW_FUNC
done
