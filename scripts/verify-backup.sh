#!/usr/bin/env bash
# Check that the newest backup, NAME or all can be restored: a few lines over `aibackend backups verify`.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: verify-backup.sh [--all | NAME] [--json] [--config DIR]

  --all         every backup instead of the newest
  NAME          this one, by its file name
  --json        print one JSON object and nothing else
  --config DIR  the backups of DIR instead of this repository's config/

exit status: 0 they can be restored, 1 a bad one, 2 wrong usage or no backup
TEXT
}

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"
run_aibackend 'backups verify' '--all --json NAME' '' "$@"
