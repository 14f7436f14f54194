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

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"
run_aibackend reload '--validate-only --yes --force --canary --no-canary --live --json --verify-completion' '--wait --verify-within' "$@"
