# completion.bash COMPLETION-FILE WORD...: what is offered for the last word, one a line.
# shellcheck disable=SC1090,SC1091 # elsewhere
. /usr/share/bash-completion/bash_completion && . "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE=$*
COMP_POINT=${#COMP_LINE}
"_${1//-/_}" "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
