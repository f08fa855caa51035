# The pod's sidecar: TCP to the enclave, and back to the application for whoever repeats the bytes that it was told.
# programs: teegate-proxy
. /vm/case.sh

# Without an application: a plain forward to the enclave, set by environment alone.
serve vsock:any:7000 cat
start plain env LISTEN_PORT=8443 ENCLAVE_CID=1 ENCLAVE_PORT=7000 teegate-proxy
listening tcp:127.0.0.1:8443
tg-vm-peer generate 4194304 1 >there
equal forward_echo "$(head -c 65536 there | tg-vm-peer dial tcp:127.0.0.1:8443 | sum)" "$(head -c 65536 there | sum)"

# With one: each connection begins with a PROXY header, version 2, that holds the return port and 16 bytes. The enclave's
# side reads it byte by byte, dials back, repeats the bytes, and passes on what the application says.
cat >enclave-side <<'SCRIPT'
hex() { dd bs=1 count="$1" 2>/dev/null | xxd -p | tr -d '\n'; }
head=$(hex 16)
rest=$(hex $((0x${head#????????????????????????????})))
printf '%s%s\n' "$head" "$rest" >header
value=${rest#*e7001501}
port=$((0x$(printf %.8s "$value")))
token=$(printf %s "$value" | cut -c 9-40)
echo "$port $token" >return
(printf %s "$token" | xxd -r -p; cat) | tg-vm-peer dial vsock:local:$port
SCRIPT
serve vsock:any:7001 sh enclave-side
serve tcp:127.0.0.1:9000 sh -c 'echo application:; cat'
start sidecar env LISTEN_PORT=8444 ENCLAVE_CID=1 ENCLAVE_PORT=7001 MAIN_APP_ADDR=tcp:127.0.0.1:9000 teegate-proxy
listening tcp:127.0.0.1:8444
equal answer_of_the_application "$(echo hello | tg-vm-peer dial tcp:127.0.0.1:8444 | tr '\n' ' ')" "application: hello "
equal header_is_version_two "$(cut -c 1-26 header)" 0d0a0d0a000d0a515549540a21

# Nobody else comes in by that port: without the bytes, with others, with too few.
return_port=$(cut -d ' ' -f 1 return)
call_back() { timeout 20 tg-vm-peer dial "vsock:local:$return_port" 2>/dev/null; }
equal refused_other_bytes "$(printf '0123456789abcdefhello' | call_back)" ""
equal refused_no_bytes "$(printf '' | call_back)" ""
equal refused_too_few_bytes "$(printf '0123456789' | call_back)" ""

# A service link of Kubernetes in place of a number is named in the log.
env LISTEN_PORT=tcp://10.0.0.1:443 ENCLAVE_CID=1 teegate-proxy >refused.out 2>&1 && bad service_link "it started"
contains service_link_is_named "$(cat refused.out)" enableServiceLinks
