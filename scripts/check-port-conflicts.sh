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

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"
run_aibackend ports '--json --required' '--port' "$@"
