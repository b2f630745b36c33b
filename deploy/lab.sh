#!/usr/bin/env bash
# Starts the laboratory's provider (deploy/lab.toml): makes what is missing in HEFU_LAB_FOLDER (a certificate by an authority of
# its own, a key-encryption key), migrates the database, serves until it is ended. docs/lab.md says what the environment may tell.
#   deploy/lab.sh [PROGRAM]        PROGRAM: hefu, if it is not in the PATH
set -euo pipefail
umask 077
config=$(dirname "${BASH_SOURCE[0]}")/lab.toml
hefu=${1:-hefu}
host=${HEFU_LAB_HOST:-localhost:8443}
folder=${HEFU_LAB_FOLDER:-}

if [[ -z $folder ]]; then
    folder=$(mktemp -d)
    echo "A temporary folder, with a new database: $folder" >&2
fi
mkdir -p "$folder/vault"
folder=$(cd "$folder" && pwd)
export HEFU_LAB_FOLDER=$folder

export HEFU_LAB_MTLS_HOST=${HEFU_LAB_MTLS_HOST:-${host%:*}:9443}
export HEFU_LAB_CLIENT_CA=${HEFU_LAB_CLIENT_CA:-$folder/ca.pem}

new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365)
if [[ ! -e $folder/ca.pem ]]; then
    "${new[@]}" -subj "/CN=hefu lab" -keyout "$folder/ca-key.pem" -out "$folder/ca.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
fi
if [[ -z ${HEFU_LAB_CERTIFICATE:-} ]]; then
    export HEFU_LAB_CERTIFICATE=$folder/certificate.pem HEFU_LAB_KEY=$folder/key.pem
    if [[ ! -e $HEFU_LAB_CERTIFICATE ]]; then
        name=${host%:*}
        kind=DNS
        if [[ $name =~ ^[0-9.]+$ ]]; then kind=IP; fi
        names="$kind:$name"
        if [[ ${HEFU_LAB_MTLS_HOST%:*} != "$name" ]]; then names+=",DNS:${HEFU_LAB_MTLS_HOST%:*}"; fi
        "${new[@]}" -subj "/CN=$name" -CA "$folder/ca.pem" -CAkey "$folder/ca-key.pem" \
            -keyout "$HEFU_LAB_KEY" -out "$HEFU_LAB_CERTIFICATE" \
            -addext basicConstraints=critical,CA:FALSE -addext "subjectAltName=$names" \
            -addext keyUsage=critical,digitalSignature -addext extendedKeyUsage=serverAuth 2>/dev/null
    fi
    echo "Clients are to trust $folder/ca.pem" >&2
fi
if [[ ! -e $folder/kek ]]; then
    head -c 32 /dev/urandom | basenc --base64url | tr -d '=\n' >"$folder/kek"
fi

"$hefu" config check "$config" >&2
"$hefu" migrate --config "$config" >&2
echo "https://$host" # where it will be, for whoever started it
exec "$hefu" serve --config "$config"
