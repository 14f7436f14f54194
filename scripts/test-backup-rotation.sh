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

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
config=
while (($#)); do
    case $1 in
        --config)
            (($# > 1)) || { echo "test-backup-rotation.sh: --config needs a directory" >&2; exit 2; }
            config=$2
            shift
            ;;
        --config=*) config=${1#*=} ;;
        -h | --help) usage; exit 0 ;;
        *) echo "test-backup-rotation.sh: unknown option: $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

if [[ -x $root/.venv/bin/aibackend ]]; then
    tool=$root/.venv/bin/aibackend
elif ! tool=$(command -v aibackend); then
    echo "test-backup-rotation.sh: aibackend is not installed; run \`make check\` in $root once" >&2
    exit 2
fi

# Without --config, findings are told as config/FILE, as they are from the top of the repository.
if [[ -z $config ]]; then
    cd -- "$root"
    config=config
fi
exec "$tool" backups rehearse --config "$config"
