#!/usr/bin/env bash
# Generate, check, deploy and verify the gateway's file, or roll back: a few lines over `aibackend reload`.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: reload-litellm-config.sh [--config DIR] [--validate-only] [--yes|--force] [--canary|--no-canary]
                                [--live] [--json] [--wait SECONDS] [--verify-completion]
                                [--verify-within SECONDS]

  --config DIR             the sources in DIR instead of this repository's config/
  --validate-only          stop before anything is touched
  --yes, --force           do not ask; no check is left out
  --canary, --no-canary    try the file with the real LiteLLM first; default: where that is installed
  --live                   ask the running services in the gate, too
  --json                   print one JSON object and nothing else
  --wait SECONDS           for another run to end
  --verify-completion      verify with a tiny completion (runs a model)
  --verify-within SECONDS  for the gateway to serve the new file

exit status: 0 deployed, unchanged or valid; 1 refused or declined, nothing touched; 2 wrong usage or
environment; 3 rolled back; 4 rolled back and still not healthy; 5 locked by another run
TEXT
}

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
config=
options=()
while (($#)); do
    case $1 in
        --validate-only | --yes | --force | --canary | --no-canary | --live | --json | --verify-completion)
            options+=("$1")
            ;;
        --wait | --verify-within)
            (($# > 1)) || { echo "reload-litellm-config.sh: $1 needs a number of seconds" >&2; exit 2; }
            options+=("$1" "$2")
            shift
            ;;
        --wait=* | --verify-within=*) options+=("$1") ;;
        --config)
            (($# > 1)) || { echo "reload-litellm-config.sh: --config needs a directory" >&2; exit 2; }
            config=$2
            shift
            ;;
        --config=*) config=${1#*=} ;;
        -h | --help) usage; exit 0 ;;
        *) echo "reload-litellm-config.sh: unknown option: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

if [[ -x $root/.venv/bin/aibackend ]]; then
    tool=$root/.venv/bin/aibackend
elif ! tool=$(command -v aibackend); then
    echo "reload-litellm-config.sh: aibackend is not installed; run \`make check\` in $root once" >&2
    exit 2
fi

# Without --config, findings are told as config/FILE, as they are from the top of the repository.
if [[ -z $config ]]; then
    cd -- "$root"
    config=config
fi
exec "$tool" reload --config "$config" ${options[@]+"${options[@]}"}
