#!/usr/bin/env bash
# Builds a release the same way each time, twice, and compares: the same source, lock file and compiler give the same bytes.
# Prints size and startup, and writes target/release-files/: the binary, its SHA-256, shell completions, and a software
# bill of materials (CycloneDX, where cargo-cyclonedx is installed; else the list that cargo itself gives).
#
#   deploy/release.sh            # one build, and a second one in another directory to compare with
#   deploy/release.sh --once     # without the second
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/release-files
mkdir -p "$out"

# Nothing of this machine goes into the binary: not its paths, not the time.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH
export CARGO_INCREMENTAL=0
registry=${CARGO_HOME:-$HOME/.cargo}
build() { # $1: the target directory
    RUSTFLAGS="--remap-path-prefix=$PWD=/casebridge --remap-path-prefix=$registry=/cargo --remap-path-prefix=$PWD/$1=/target" \
        CARGO_TARGET_DIR="$1" cargo build --release --locked --quiet --bin casebridge
}

build target/reproducible
binary=target/reproducible/release/casebridge
if [[ "${1:-}" != --once ]]; then
    build target/reproducible-again
    if cmp "$binary" target/reproducible-again/release/casebridge; then
        echo "reproducible: two builds are equal"
    else
        echo "error: two builds of the same source differ" >&2
        exit 1
    fi
fi

install -m 0755 "$binary" "$out/casebridge"
(cd "$out" && sha256sum casebridge > casebridge.sha256)
for shell in bash zsh fish; do "$binary" completions "$shell" > "$out/casebridge.$shell"; done
if cargo cyclonedx --version > /dev/null 2>&1; then
    cargo cyclonedx --format json --override-filename casebridge-sbom > /dev/null && mv casebridge-sbom.json "$out/"
else
    cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu \
        | python3 -c 'import json,sys
packages = json.load(sys.stdin)["packages"]
rows = [{"name": p["name"], "version": p["version"], "licence": p["license"], "source": p["source"]} for p in packages]
json.dump(sorted(rows, key=lambda row: (row["name"], row["version"])), sys.stdout, indent=1)' > "$out/casebridge-sbom.json"
fi

# How long from the start of the process to ready, the median of seven.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$PWD/$binary" "$work" <<'PYTHON'
import os, signal, socket, subprocess, sys, time, urllib.request
binary, work = sys.argv[1:]
key = subprocess.run([binary, "secrets", "new", "key"], capture_output=True, text=True).stdout.strip()
def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
times = []
for run in range(7):
    port, admin = free(), free()
    config = os.path.join(work, "casebridge.toml")
    with open(config, "w") as file:
        file.write(f'[server]\npublic = "127.0.0.1:{port}"\nadmin = "127.0.0.1:{admin}"\ndrain_seconds = 0\n'
                   f'[store]\nurl = "sqlite://{work}/bridge.db"\n'
                   '[crypto]\nkeys = [{ id = "k1", secret = { env = "CASEBRIDGE_KEY" } }]\n')
    begun = time.perf_counter()
    child = subprocess.Popen([binary, "serve", "--config", config], env={**os.environ, "CASEBRIDGE_KEY": key},
                             stderr=subprocess.DEVNULL)
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).read()
            break
        except OSError:
            assert child.poll() is None, "it ended"
            time.sleep(0.0005)
    times.append(time.perf_counter() - begun)
    child.send_signal(signal.SIGTERM)
    child.wait()
print(f"startup: {sorted(times)[3] * 1000:.0f} ms to ready (median of {len(times)})")
PYTHON
printf 'size: %s bytes\n' "$(stat -c %s "$binary")"
cat "$out/casebridge.sha256"
