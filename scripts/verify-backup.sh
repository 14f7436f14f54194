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

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
config=
options=()
while (($#)); do
    case $1 in
        --all | --json) options+=("$1") ;;
        --config)
            (($# > 1)) || { echo "verify-backup.sh: --config needs a directory" >&2; exit 2; }
            config=$2
            shift
            ;;
        --config=*) config=${1#*=} ;;
        -h | --help) usage; exit 0 ;;
        [!-]*) options+=("$1") ;;
        *) echo "verify-backup.sh: unknown option: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

if [[ -x $root/.venv/bin/aibackend ]]; then
    tool=$root/.venv/bin/aibackend
elif ! tool=$(command -v aibackend); then
    echo "verify-backup.sh: aibackend is not installed; run \`make check\` in $root once" >&2
    exit 2
fi

# Without --config, findings are told as config/FILE, as they are from the top of the repository.
if [[ -z $config ]]; then
    cd -- "$root"
    config=config
fi
exec "$tool" backups verify --config "$config" ${options[@]+"${options[@]}"}
