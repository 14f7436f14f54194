#!/usr/bin/env bash
# Show the retention at work on twenty scratch backups: a few lines over `aibackend backups rehearse`.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: test-backup-rotation.sh [--config DIR]

Makes twenty backups spread over a month in a scratch directory, rotates them, shows which are kept and deleted
and why, looks at what is left, and removes the directory. No backup of yours is touched.

  --config DIR  the retention of DIR instead of this repository's config/

exit status: 0 right, 1 a promise of the retention was broken, 2 wrong usage
TEXT
}

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"
run_aibackend 'backups rehearse' '' '' "$@"
