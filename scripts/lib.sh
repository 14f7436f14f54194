# shellcheck shell=bash
# What the scripts share: read the options that each of them knows, find `aibackend`, and become it.
#
#   run_aibackend COMMAND FLAGS VALUED "$@"
#
# COMMAND is one or two words, FLAGS the options without a value, VALUED those with one, each between spaces;
# NAME among the flags allows words that are no options. The caller defines `usage`. --config DIR and --help
# are known to all; without --config, findings are told as config/FILE, as from the top of the repository.

run_aibackend() {
    local script command=$1 flags=" $2 " valued=" $3 " root tool config='' options=()
    shift 3
    script=$(basename -- "$0")
    root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
    while (($#)); do
        case $1 in
            -h | --help) usage; exit 0 ;;
            --config=*) config=${1#*=} ;;
            --config | [!-]* | -*)
                if [[ $1 == --config || $valued == *" $1 "* ]]; then
                    (($# > 1)) || refuse "$script: $1 needs a value"
                    if [[ $1 == --config ]]; then config=$2; else options+=("$1" "$2"); fi
                    shift
                elif [[ $flags == *" $1 "* || $valued == *" ${1%%=*} "* ]]; then
                    options+=("$1")
                elif [[ $1 != -* && $flags == *" NAME "* ]]; then
                    options+=("$1")
                else
                    refuse "$script: unknown option: $1"
                fi
                ;;
        esac
        shift
    done
    if [[ -x $root/.venv/bin/aibackend ]]; then
        tool=$root/.venv/bin/aibackend
    elif ! tool=$(command -v aibackend); then
        echo "$script: aibackend is not installed; run \`make check\` in $root once" >&2
        exit 2
    fi
    if [[ -z $config ]]; then
        cd -- "$root"
        config=config
    fi
    # shellcheck disable=SC2086 # a command may be two words
    exec "$tool" $command --config "$config" ${options[@]+"${options[@]}"}
}

refuse() {
    echo "$1" >&2
    usage >&2
    exit 2
}
