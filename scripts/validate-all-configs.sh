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

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"
run_aibackend check '--json --critical --live' '' "$@"
