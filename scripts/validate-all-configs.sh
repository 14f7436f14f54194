#!/usr/bin/env bash
# Run the eleven checks on this repository's config/, from wherever it is called: a few lines over `aibackend check`.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: validate-all-configs.sh [--json] [--critical] [--live] [--config DIR]

  --json        print one JSON object and nothing else
  --critical    the critical checks only
  --live        ask the running services, too
  --config DIR  check DIR instead of this repository's config/

exit status: 0 passed or warned, 1 failed, 2 wrong usage, 3 a bug in the checks
TEXT
}

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
config=
options=()
while (($#)); do
    case $1 in
        --json | --critical | --live) options+=("$1") ;;
        --config)
            (($# > 1)) || { echo "validate-all-configs.sh: --config needs a directory" >&2; exit 2; }
            config=$2
            shift
            ;;
        --config=*) config=${1#*=} ;;
        -h | --help) usage; exit 0 ;;
        *) echo "validate-all-configs.sh: unknown option: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

if [[ -x $root/.venv/bin/aibackend ]]; then
    tool=$root/.venv/bin/aibackend
elif ! tool=$(command -v aibackend); then
    echo "validate-all-configs.sh: aibackend is not installed; run \`make check\` in $root once" >&2
    exit 2
fi

# Without --config, findings are told as config/FILE, as they are from the top of the repository.
if [[ -z $config ]]; then
    cd -- "$root"
    config=config
fi
exec "$tool" check --config "$config" ${options[@]+"${options[@]}"}
