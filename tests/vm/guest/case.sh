# What every case of tests/vm/cases begins with: `. /vm/case.sh`. CASE is the case's name, WORK an empty folder of its own, which
# is also where it stands. What it starts in the background is ended after it.
#
#   equal NAME ACTUAL EXPECTED      a test: TEST $CASE.NAME ok, or FAIL with both values
#   holds NAME COMMAND...           a test: the command's status is 0; the last line that it said is the reason
#   contains NAME TEXT PART         a test: PART stands in TEXT
#   start NAME COMMAND...           runs it in the background, its output in $WORK/NAME.log
#   serve ADDRESS COMMAND...        answers each connection to ADDRESS by COMMAND (tg-vm-peer listen), and is ready when it returns
#   stop_serving                    ends the last server; connections that it took live on
#   appears FILE                    waits until FILE is there, 10 s at most; the case fails otherwise
#   listening ADDRESS               dials until something listens there, 10 s at most; the case fails otherwise
#   give_up REASON                  the case fails and ends
#   forward NAME LISTEN CONNECT     bytes from LISTEN to CONNECT, by the program under test (FORWARDER)

ok() { echo "TEST $CASE.$1 ok"; }
bad() { echo "TEST $CASE.$1 FAIL $(printf %s "$2" | tr '\n\r' '  ' | cut -c1-400)"; }

give_up() {
    bad case "$1"
    for log in "$WORK"/*.log; do
        [ -s "$log" ] && echo "--- $log" && tail -n 20 "$log"
    done
    exit 1
}

equal() {
    if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "got '$2', expected '$3'"; fi
}

contains() {
    case "$2" in
        *"$3"*) ok "$1" ;;
        *) bad "$1" "no '$3' in '$2'" ;;
    esac
}

holds() {
    name=$1
    shift
    if "$@" >"$WORK/$name.said" 2>&1; then ok "$name"; else bad "$name" "status $?: $(tail -n 1 "$WORK/$name.said")"; fi
}

start() {
    name=$1
    shift
    "$@" </dev/null >"$WORK/$name.log" 2>&1 &
}

appears() {
    tries=0
    until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || give_up "no $1 after 10 s"
        sleep 0.1
    done
}

serve() {
    address=$1
    shift
    : >"$WORK/server.log"
    tg-vm-peer listen "$address" -- "$@" </dev/null >>"$WORK/server.log" 2>&1 &
    SERVER=$!
    tries=0
    until grep -q listening "$WORK/server.log"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || give_up "the server at $address is not ready after 10 s"
        sleep 0.1
    done
}

stop_serving() {
    kill "$SERVER"
    wait "$SERVER" 2>/dev/null
}

listening() {
    tg-vm-peer wait "$1" 10 2>/dev/null || give_up "nothing listens at $1 after 10 s"
}

sum() { sha256sum | cut -d ' ' -f 1; }

# socat's spelling of an address: $1 the address, $2 LISTEN or CONNECT.
socat_address() {
    kind=${1%%:*} rest=${1#*:}
    case "$kind-$2" in
        tcp-LISTEN) echo "TCP-LISTEN:${rest##*:},bind=${rest%:*},reuseaddr,fork,backlog=128" ;;
        tcp-CONNECT) echo "TCP:$rest" ;;
        vsock-LISTEN) echo "VSOCK-LISTEN:${rest##*:},fork,backlog=128" ;;
        vsock-CONNECT) [ "${rest%:*}" = local ] && rest=1:${rest##*:}; echo "VSOCK-CONNECT:$rest" ;;
        unix-LISTEN) echo "UNIX-LISTEN:$rest,fork" ;;
        unix-CONNECT) echo "UNIX-CONNECT:$rest" ;;
    esac
}

forward() {
    case "$FORWARDER" in
        socat) start "$1" socat -t 600 "$(socat_address "$2" LISTEN)" "$(socat_address "$3" CONNECT)" ;;
        teegate-proxy)
            printf '{"domains":{},"forwards":[{"listen":"%s","connect":"%s"}]}\n' "$2" "$3" >"$WORK/$1.json"
            start "$1" env PROXY_CONFIG="$WORK/$1.json" teegate-proxy
            ;;
        *) give_up "FORWARDER is '$FORWARDER', not socat or teegate-proxy" ;;
    esac
    listening "$2"
}
