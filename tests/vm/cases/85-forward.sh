# Forward mode over a real vsock: client, sidecar, enclave, and back by the sidecar's return port to the application.
# programs: teegate-enclave teegate-proxy /usr/bin/curl
. /vm/case.sh

mkdir schemas
cat >schemas/person.yaml <<'SCHEMA'
openapi: 3.1.0
info: {title: person, version: "1"}
paths: {}
components:
  schemas:
    Person: {type: object, properties: {ssn: {type: string, x-pii: true}}}
SCHEMA
for _ in 1 2 3 4 5 6 7 8; do printf '\252\252\252\252'; done >dek

# The application keeps what it was sent, and answers every request of a connection.
cat >application <<'SCRIPT'
while read -r line; do
    length=0
    printf '%s\n' "$line" >>heads
    while read -r line && [ "$line" != "$(printf '\r')" ]; do
        printf '%s\n' "$line" >>heads
        case "$line" in Content-Length:*) length=$(printf %s "${line#*: }" | tr -d '\r') ;; esac
    done
    dd bs=1 count="$length" 2>/dev/null >>bodies
    echo >>bodies
    printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"done":true}'
done
SCRIPT
: >bodies
serve tcp:127.0.0.1:9000 sh application
start enclave env DEK_FILE="$WORK/dek" SCHEMA_DIR="$WORK/schemas" LISTEN_ADDRESS=vsock:any:8443 \
    LISTEN_PROXY_ADDRESS=vsock:any:9443 FORWARD_SCHEMAS=/people=person teegate-enclave --local-mode
listening vsock:local:9443
start sidecar env LISTEN_PORT=8444 ENCLAVE_CID=1 ENCLAVE_PORT=9443 MAIN_APP_ADDR=tcp:127.0.0.1:9000 teegate-proxy
SIDECAR=$!
listening tcp:127.0.0.1:8444

# call PATH BODY [CURL OPTION...]: through the sidecar; the answer's body, then its status.
call() {
    path=$1 body=$2
    shift 2
    curl -sk --max-time 30 -w '%{http_code}' -H 'Content-Type: application/json' -d "$body" "$@" "https://127.0.0.1:8444$path" 2>&1
}
sealed='{"ssn":"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3"}'
equal answer_is_relayed "$(call /people '{"ssn":"123-45-6789"}' -H 'X-Schema-Name: person')" '{"done":true}200'
equal application_got_tokens "$(cat bodies)" "$sealed"
contains application_got_the_schema "$(tr -d '\r' <heads)" "X-Schema-Name: person"
equal without_a_schema_is_refused "$(call /people '{"ssn":"123-45-6789"}' | grep -o 'schema_missing\|400$' | tr '\n' ' ')" \
    "schema_missing 400 "
equal nothing_was_sent_on "$(cat bodies)" "$sealed"
contains own_api_is_there "$(call /encrypt '{"ssn":"123-45-6789"}' -H 'X-Schema-Name: person')" "$sealed"

# Another way in tells no return port: there is no application for it.
serve tcp:127.0.0.1:9444 tg-vm-peer dial vsock:local:8443
contains no_port_no_application "$(curl -sk --max-time 30 -H 'Content-Type: application/json' -H 'X-Schema-Name: person' \
    -d '{"ssn":"1"}' https://127.0.0.1:9444/people)" '"no_application"'

# A sidecar that starts anew has another port and other bytes.
kill "$SIDECAR"
wait "$SIDECAR" 2>/dev/null
start again env LISTEN_PORT=8445 ENCLAVE_CID=1 ENCLAVE_PORT=9443 MAIN_APP_ADDR=tcp:127.0.0.1:9000 teegate-proxy
listening tcp:127.0.0.1:8445
equal new_sidecar_is_believed "$(curl -sk --max-time 30 -H 'Content-Type: application/json' -H 'X-Schema-Name: person' \
    -d '{"ssn":"123-45-6789"}' https://127.0.0.1:8445/people)" '{"done":true}'
holds no_plaintext_with_the_application sh -c '! grep -q 123-45 heads bodies'
