# The enclave behind the host's routers, over vsock: TLS ends in the enclave, the proxy only reads the SNI name and the Host.
# programs: teegate-enclave teegate-proxy /usr/bin/curl /usr/bin/openssl
. /vm/case.sh

mkdir schemas
cat >schemas/person.yaml <<'SCHEMA'
openapi: 3.1.0
info: {title: person, version: "1"}
paths: {}
components:
  schemas:
    Person:
      type: object
      properties:
        ssn: {type: string, x-pii: true}
SCHEMA
for _ in 1 2 3 4 5 6 7 8; do printf '\252\252\252\252'; done >dek

cat >config.json <<'CONFIG'
{"domains": {"tee-k.example.org": {"cid": 16, "http": "vsock:local:8080", "https": "vsock:local:8443"},
             "tee-t.example.org": {"cid": 17, "http": "vsock:local:8081", "https": "vsock:local:8444"}},
 "ports": {"http": 80, "https": 443}}
CONFIG
start enclave env DEK_FILE="$WORK/dek" SCHEMA_DIR="$WORK/schemas" LISTEN_ADDRESS=vsock:any:8443 \
    teegate-enclave --local-mode
start proxy env PROXY_CONFIG="$WORK/config.json" teegate-proxy
listening vsock:local:8443
listening tcp:127.0.0.1:443
listening tcp:127.0.0.1:80

# call PATH [CURL OPTION...]: through the SNI router; the answer's body, then its status.
call() {
    path=$1
    shift
    curl -sk --max-time 20 --resolve tee-k.example.org:443:127.0.0.1 -w '%{http_code}' "$@" "https://tee-k.example.org$path" 2>&1
}
contains health "$(call /health)" '"dek_ready":true'
equal live_status "$(call /live -o /dev/null)" 200
equal encrypt_known_answer \
    "$(call /encrypt -H 'Content-Type: application/json' -H 'X-Schema-Name: person' -d '{"ssn":"123-45-6789"}')" \
    '{"ssn":"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3"}200'

# The certificate is the enclave's: the same through the router as asked for over vsock itself.
serve tcp:127.0.0.1:9443 tg-vm-peer dial vsock:local:8443
fingerprint() {
    openssl s_client -connect "$1" -servername tee-k.example.org </dev/null 2>/dev/null |
        openssl x509 -noout -fingerprint -sha256
}
contains certificate_is_read "$(fingerprint 127.0.0.1:9443)" "Fingerprint="
equal tls_ends_in_the_enclave "$(fingerprint 127.0.0.1:443)" "$(fingerprint 127.0.0.1:9443)"
contains unknown_name_gets_an_alert \
    "$(openssl s_client -connect 127.0.0.1:443 -servername other.example.org </dev/null 2>&1)" "unrecognized name"
contains enclave_down_ends_the_handshake \
    "$(openssl s_client -connect 127.0.0.1:443 -servername tee-t.example.org </dev/null 2>&1)" "no peer certificate available"

# A body over vsock's window, there and back.
tg-vm-peer generate 300000 5 | base64 | tr -d '\n' >filler
printf '{"note":"%s","ssn":"123-45-6789"}' "$(cat filler)" >large.json
call /encrypt -H 'Content-Type: application/json' -H 'X-Schema-Name: person' --data-binary @large.json -o sealed.json >/dev/null
contains large_body_is_sealed "$(tail -c 100 sealed.json)" '"ssn":"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3"}'
equal large_body_is_whole "$(head -c 1000 sealed.json | sum)" "$(head -c 1000 large.json | sum)"

# The Host router: a plain server stands where the domain's HTTP is.
serve vsock:any:8080 sh -c 'read -r line; printf "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"'
ask_http() { curl -s --max-time 10 -H "Host: $1" -w '%{http_code}' http://127.0.0.1/; }
equal host_routed "$(ask_http TEE-K.example.org:80)" hello200
equal host_unknown "$(ask_http other.example.org | grep -o 'Domain not found\|404$' | tr '\n' ' ')" "Domain not found 404 "
equal host_enclave_down "$(ask_http tee-t.example.org | grep -o 'Service unavailable\|502$' | tr '\n' ' ')" \
    "Service unavailable 502 "
