# A guest that does its worst by vsock: garbage, lines that never end, a byte at a time, a peer that never reads, hundreds of
# half-open connections; beside them the good ones are served, and the log holds nothing of what was sent.
# programs: teegate-proxy
. /vm/case.sh

cat >config.json <<'CONFIG'
{"domains": {"tee-k.example.org": {"cid": 1, "https": "vsock:local:8443", "egress": ["127.0.0.1:9000", "127.0.0.1:9001"]}},
 "ports": {"internet": 8444},
 "limits": {"pending": 64},
 "timeouts": {"hello_ms": 3000},
 "listen": {"https": "vsock:any:4443"}}
CONFIG
start proxy env PROXY_CONFIG="$WORK/config.json" teegate-proxy
proxy=$!
listening vsock:local:8444
listening vsock:local:4443
serve tcp:127.0.0.1:9000 cat
serve tcp:127.0.0.1:9001 sh -c 'echo $$ >>never_reading; exec sleep 120'

send() { timeout 20 tg-vm-peer dial "vsock:local:$1" 2>/dev/null; }
good() { [ "$(printf '127.0.0.1:9000\ngood' | send 8444)" = good ]; }
open_files() { find "/proc/$proxy/fd" -type l | wc -l; }
holds good_before good
quiet=$(open_files)

# Garbage: what comes back is nothing (egress), or at most an alert's seven bytes (SNI).
tg-vm-peer generate 1000000 11 >noise
head -c 70000 /dev/zero >zeros
(head -c 5000 /dev/zero | tr '\0' a; echo :1) >long
for what in noise zeros long; do
    equal "egress.$what" "$(send 8444 <$what | wc -c)" 0
    holds "sni.$what" test "$(send 4443 <$what | wc -c)" -le 7
done
printf '\026\003\001\377\377' >bad-record
printf '\026\003\001\002\000\001\000\001\374' >cut-short
for what in bad-record cut-short; do
    holds "sni.$what" test "$(send 4443 <$what | wc -c)" -le 7
done
holds good_after_garbage good

# One byte at a time, slower than the deadline allows: closed by the clock, not by the last byte.
began=$(cut -d . -f 1 /proc/uptime)
equal slow_line_is_closed "$( (for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do printf 1; sleep 0.5; done; printf '27.0.0.1:9000\nlate') | send 8444)" ""
holds slow_line_is_closed_in_time test $(($(cut -d . -f 1 /proc/uptime) - began)) -lt 15
equal quick_line_byte_by_byte "$( (for byte in 1 2 7 . 0 . 0 . 1 : 9 0 0 0; do printf %s $byte; sleep 0.05; done; printf '\nsoon') | send 8444)" soon

# Half-open: two hundred that say nothing, then some that are relayed to a server which never reads.
holders=
for _ in $(seq 200); do
    sleep 30 | tg-vm-peer dial vsock:local:8444 >/dev/null 2>&1 &
    holders="$holders $!"
done
sleep 1
holds good_beside_half_open good
holds half_open_are_bounded test "$(open_files)" -le $((quiet + 64 + 16))
for _ in 1 2 3 4; do
    (echo 127.0.0.1:9001; cat noise noise noise noise noise noise noise noise) | tg-vm-peer dial vsock:local:8444 >/dev/null 2>&1 &
    holders="$holders $!"
done
sleep 1
holds good_beside_those_that_never_read good
let_go() { # at most $1 descriptors more than before
    tries=0
    until [ "$(open_files)" -le $((quiet + $1)) ] || [ $tries -ge 300 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    if [ $tries -ge 300 ]; then
        find "/proc/$proxy/fd" -type l -exec readlink {} \; | sed 's/:.*//' | sort | uniq -c
        return 1
    fi
}
# shellcheck disable=SC2086 # several numbers
kill $holders 2>/dev/null
# What the four had sent still waits for a server that lives and may yet read: two sockets and a pipe each.
holds half_open_are_let_go let_go $((4 * 4 + 4))
# shellcheck disable=SC2046 # several numbers
kill $(cat never_reading)
holds those_that_never_read_are_let_go let_go $((4 * 2 + 4)) # pipes are kept for the next
holds still_serves good
holds proxy_lives kill -0 "$proxy"
equal log_is_lines_of_json "$(grep -vc '^{.*}$' proxy.log)" 0
equal log_holds_no_control_bytes "$(tr -cd '\000-\011\013-\037\177' <proxy.log | wc -c)" 0
holds log_is_short test "$(wc -c <proxy.log)" -lt 200000
echo "the proxy's log: $(wc -l <proxy.log) lines, $(wc -c <proxy.log) bytes"
cut -c 1-220 proxy.log | sed 's/"time":"[^"]*",//; s/"connection":[0-9]*//; s/_ms":[0-9]*/_ms":N/; s/"peer":"[^"]*"//' | sort | uniq -c | sort -rn | head -n 12
