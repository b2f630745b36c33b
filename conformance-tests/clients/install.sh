#!/usr/bin/env bash
# Installs and builds the clients beside this file, by the package clients of their languages and by their lock files.
# What was made from the same files before is left as it is.   install.sh [PYTHON]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${1:-python3}

# made FOLDER FILE…: whether FOLDER was made from these files as they are now; otherwise it is emptied.
made() {
    local folder=$1
    shift
    cat "$@" | cmp -s - "$folder/.from" && return
    rm -rf "$folder"
    return 1
}

if ! made node/node_modules node/package-lock.json; then
    npm ci --prefix node
    cp node/package-lock.json node/node_modules/.from
fi

if ! made python/venv python/requirements.txt; then
    "$python" -m venv python/venv
    python/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r python/requirements.txt
    cp python/requirements.txt python/venv/.from
fi

if ! made go/built go/go.mod go/go.sum go/main.go; then
    (cd go && go list -m >/dev/null) || {
        echo "The client in Go needs go $(sed -n 's/^go //p' go/go.mod) or newer; this is $(go version)." >&2
        exit 1
    }
    (cd go && CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -o built/client .)
    cat go/go.mod go/go.sum go/main.go >go/built/.from
fi

if ! made java/built java/pom.xml java/Client.java java/Federation.java; then
    # -C: what does not have its checksum is refused.
    mvn --quiet --batch-mode -C -f java/pom.xml dependency:copy-dependencies -DoutputDirectory=built/lib
    javac -Xlint:all,-serial -Werror -cp 'java/built/lib/*' -d java/built java/Client.java java/Federation.java
    cat java/pom.xml java/Client.java java/Federation.java >java/built/.from
fi
