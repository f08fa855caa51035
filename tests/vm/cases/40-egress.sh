# The enclaves' way out: `host:port`, a newline, then raw bytes; what the rules of the caller's CID allow and nothing else.
# programs: teegate-proxy
. /vm/case.sh

cat >config.json <<'CONFIG'
{"domains": {"tee-k.example.org": {"cid": 1, "https": "vsock:local:8443", "egress": ["127.0.0.1:9000", "127.0.0.1:9001"]}},
 "ports": {"internet": 8444}}
CONFIG
start proxy env PROXY_CONFIG="$WORK/config.json" teegate-proxy
listening vsock:local:8444
serve tcp:127.0.0.1:9000 cat
serve tcp:127.0.0.1:9002 cat
serve vsock:any:8443 cat

# out LINE: what comes back of some bytes sent behind the line
out() { printf '%s\nbytes behind the line' "$1" | timeout 20 tg-vm-peer dial vsock:local:8444 2>/dev/null; }
equal allowed_address "$(out 127.0.0.1:9000)" "bytes behind the line"
equal carriage_return_is_taken_or_refused_whole "$(out "$(printf '127.0.0.1:9000\r')" | grep -vc '^bytes behind the line$')" 0
equal own_domain_goes_to_its_enclave "$(out tee-k.example.org:443)" "bytes behind the line"
for refused in 127.0.0.1:9002 localhost:9002 '[::1]:9002' '[::ffff:127.0.0.1]:9002' 169.254.169.254:80 10.0.0.1:80 \
    no-port 127.0.0.1:0 127.0.0.1:65536 ''; do
    number=$((${number:-0} + 1))
    equal "refused.$number" "$(out "$refused")" ""
done

# Long streams both ways through the line, half-closed.
tg-vm-peer generate 20000000 7 >big
(echo 127.0.0.1:9000; cat big) | tg-vm-peer dial vsock:local:8444 >got
equal twenty_megabytes_echoed "$(sum <got)" "$(sum <big)"

# One byte at a time.
equal line_in_pieces "$(
    (for piece in 1 2 7 . 0 . 0 . 1 : 9 0 0 0; do printf %s $piece; sleep 0.02; done; printf '\nslow') |
        tg-vm-peer dial vsock:local:8444
)" slow
