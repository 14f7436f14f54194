#!/usr/bin/env bash
# Show who listens on the ports of config/ports.yaml, and conflicts: a few lines over `aibackend ports`.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: check-port-conflicts.sh [--required] [--port N] [--json] [--config DIR]

  --json        print one JSON object and nothing else
  --required    required services only; a silent one is an error
  --port N      this port only
  --config DIR  the ports of DIR instead of this repository's config/

exit status: 0 no conflict, 1 a conflict, 2 wrong usage
TEXT
}

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
config=
options=()
while (($#)); do
    case $1 in
        --json | --required) options+=("$1") ;;
        --port)
            (($# > 1)) || { echo "check-port-conflicts.sh: --port needs a number" >&2; exit 2; }
            options+=(--port "$2")
            shift
            ;;
        --port=*) options+=("$1") ;;
        --config)
            (($# > 1)) || { echo "check-port-conflicts.sh: --config needs a directory" >&2; exit 2; }
            config=$2
            shift
            ;;
        --config=*) config=${1#*=} ;;
        -h | --help) usage; exit 0 ;;
        *) echo "check-port-conflicts.sh: unknown option: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

if [[ -x $root/.venv/bin/aibackend ]]; then
    tool=$root/.venv/bin/aibackend
elif ! tool=$(command -v aibackend); then
    echo "check-port-conflicts.sh: aibackend is not installed; run \`make check\` in $root once" >&2
    exit 2
fi

# Without --config, findings are told as config/FILE, as they are from the top of the repository.
if [[ -z $config ]]; then
    cd -- "$root"
    config=config
fi
exec "$tool" ports --config "$config" ${options[@]+"${options[@]}"}
