# What the demos share: a temporary folder, programs that are ended with it, steps that can be read. Sourced, not run.
# shellcheck shell=bash
umask 077
folder=$(mktemp -d "${TMPDIR:-/tmp}/tg-demo.XXXXXX")
servers=() is_done=''

cleanup() {
    local status=$? pid log
    trap - EXIT
    for pid in "${servers[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
    if [ -z "$is_done" ]; then
        for log in "$folder"/*.log; do
            [ -s "$log" ] || continue
            printf '\ndemo: the end of %s:\n' "$(basename "$log")" >&2
            tail -n 20 "$log" >&2
        done
        [ $status -ne 0 ] || status=1
    fi
    rm -rf "$folder"
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
num_steps=0
step() { num_steps=$((num_steps + 1)); printf '\n%s%d. %s%s\n\n' "$bold" $num_steps "$*" "$plain"; }
show() { sed 's/^/    /'; printf '\n'; }
die() { printf '\ndemo: %s\n' "$*" >&2; exit 1; }

# Prints a command as a person would type it, on the demo's own output wherever the caller's goes.
exec 3>&1
typed() {
    local word
    {
        printf '    $'
        for word in "$@"; do
            if [[ $word == *[\ \'\"]* ]]; then printf " '%s'" "$word"; else printf ' %s' "$word"; fi
        done | sed "s|$folder/||g"
        printf '\n'
    } >&3
}
ask() { # curl's words: it believes the demo's authority and nobody else
    typed curl --cacert "$folder/ca.crt" "$@"
    curl -sS --max-time 20 --cacert "$folder/ca.crt" "$@"
}

make_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1 -subj "/CN=teegate demo" \
        -addext "keyUsage=critical,keyCertSign" -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>"$folder/openssl.out" ||
        die "openssl made no authority: $(tail -n 1 "$folder/openssl.out")"
}
certify() { # name, subjectAltName, extendedKeyUsage: NAME.crt and NAME.key
    openssl req -x509 -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1 \
        -subj "/CN=$1" -addext "subjectAltName=$2" -addext "extendedKeyUsage=$3" -addext "basicConstraints=critical,CA:FALSE" \
        -keyout "$folder/$1.key" -out "$folder/$1.crt" 2>"$folder/openssl.out" ||
        die "openssl made no certificate for $1: $(tail -n 1 "$folder/openssl.out")"
}

free_port() { # another each time, of 127.0.0.1
    local candidate
    for candidate in $(shuf -i 20000-32000 -n 20); do
        if ! (exec 9<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then echo "$candidate"; return; fi
    done
    die "no free port on 127.0.0.1"
}
launch() { # name, then NAME=VALUE... and a program of the build with its arguments; the log is NAME.log
    local name=$1 values=()
    shift
    while [[ $1 == *=* ]]; do values+=("$1"); shift; done
    env -i PATH="$PATH" "${values[@]}" "$TEEGATE_BUILD/$1" "${@:2}" 2>"$folder/$name.log" &
    servers+=($!)
}
until_log() { # name, then a pattern that its log will hold
    local pid=${servers[-1]}
    for _ in $(seq 150); do
        if grep -qE "$2" "$folder/$1.log"; then return; fi
        kill -0 "$pid" 2>/dev/null || die "$1 ended at once"
        sleep 0.1
    done
    die "$1 is not ready after 15 s"
}
end_last() { # ends what was launched last, in order
    local status=0
    kill -TERM "${servers[-1]}"
    wait "${servers[-1]}" || status=$?
    unset 'servers[-1]'
    [ $status -eq 0 ] || die "it ended with status $status"
}
finish() {
    is_done=yes
    printf '%sdemo: done; everything it made is deleted.%s %s\n' "$bold" "$plain" "$*"
}
