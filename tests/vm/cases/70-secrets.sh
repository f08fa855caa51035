# Deliveries of secrets to a running enclave, over vsock: by plain socat, by Python's AF_VSOCK and by the tool; open, then sealed.
# programs: teegate-enclave teegate /usr/bin/socat /usr/bin/openssl
# python: socket json sys
. /vm/case.sh

mkdir schemas certs first second sealed
cat >schemas/person.yaml <<'SCHEMA'
openapi: 3.1.0
info: {title: person, version: "1"}
paths: {}
components:
  schemas:
    Person: {type: object, properties: {ssn: {type: string, x-pii: true}}}
SCHEMA
for _ in 1 2 3 4 5 6 7 8; do printf '\252\252\252\252'; done >dek
for folder in first second sealed; do
    teegate pki init "$folder" --server backend.internal >"$folder.out" 2>&1 || give_up "pki init: $(cat "$folder.out")"
done

# by_python FILE [BYTES]: the whole file, or its first bytes, then the sending side ends and the answer is read.
cat >deliver.py <<'PYTHON'
import socket, sys

data = open(sys.argv[1], "rb").read()[: int(sys.argv[2]) if len(sys.argv) > 2 else None]
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as sock:
    sock.settimeout(30)
    sock.connect((socket.VMADDR_CID_LOCAL if hasattr(socket, "VMADDR_CID_LOCAL") else 1, 7777))
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    while more := sock.recv(65536):
        sys.stdout.write(more.decode())
PYTHON
by_python() { python3 deliver.py "$@" 2>&1; }
by_socat() { socat -t 20 - VSOCK-CONNECT:1:7777 2>&1; }
by_tool() { teegate secrets send vsock:local:7777 "$@" 2>&1; }

export DEK_FILE="$WORK/dek" SCHEMA_DIR="$WORK/schemas" LISTEN_ADDRESS=vsock:any:8443 ADMIN_ADDRESS=tcp:127.0.0.1:9090
mount -t tmpfs -o size=48k,mode=0755 certs certs # a disk that can be filled
start enclave env SECRETS_ADDRESS=vsock:any:7777 SECRETS_DIR="$WORK/certs" SECRETS_VALUES=PARTNER_TOKEN \
    teegate-enclave --local-mode
ENCLAVE=$!
listening vsock:local:7777
listening tcp:127.0.0.1:9090
listening vsock:local:8443
version() { wget -qO - http://127.0.0.1:9090/metrics | sed -n 's/^teegate_secrets_version //p'; }
# in_force FOLDER: the files are those of this folder, and only their owner may read the key
in_force() {
    cmp -s "$1/client.crt" certs/client.crt && cmp -s "$1/client.key" certs/client.key &&
        cmp -s "$1/backend-ca.crt" certs/ecs-ca.crt && [ "$(stat -c %a certs/client.key)" = 600 ]
}

equal nothing_at_first "$(ls certs)" ""
equal socat_is_answered "$(cat first/secrets.json | by_socat)" \
    '{"status":"ok","applied":["MTLS_CLIENT_CERT_JSON"],"version":1}'
holds socat_is_in_force in_force first
equal socat_version "$(version)" 1
equal python_is_answered "$(by_python second/secrets.json)" '{"status":"ok","applied":["MTLS_CLIENT_CERT_JSON"],"version":2}'
holds python_is_in_force in_force second
equal tool_is_answered "$(by_tool first/secrets.json)" '{"status":"ok","applied":["MTLS_CLIENT_CERT_JSON"],"version":3}'
holds tool_is_in_force in_force first
equal named_values_are_taken "$(echo '{"ECS_WATERMARK_ENDPOINT":"https://w.example/a","PARTNER_TOKEN":"t"}' | by_socat)" \
    '{"status":"ok","applied":["ECS_WATERMARK_ENDPOINT","PARTNER_TOKEN"],"version":4}'

# What says nothing changes nothing.
for word in '' '{}' test; do
    equal "nothing_said.${word:-empty}" "$(printf %s "$word" | by_socat)" '{"status":"ok","applied":[],"version":4}'
done

# Bad ones are refused with the reason, whoever brings them, and what was in force stays.
refused() { contains "refused.$1" "$2" "\"code\":\"$3\""; }
refused not_json "$(echo hello | by_socat)" not_json
refused half "$(by_python second/secrets.json 700)" not_json
refused unknown_member "$(echo '{"OTHER":"hunter2"}' | by_socat)" unknown_member
refused forbidden_member "$(echo '{"AWS_SECRET_ACCESS_KEY":"hunter2"}' | by_socat)" forbidden_member
head -c 1048576 /dev/zero | tr '\0' x >long
refused almost_too_large "$(by_python long)" not_json
printf x >>long
refused too_large "$(by_python long)" too_large
# another folder's key beside the certificate: both stand in one line of the template
sed "s#\"client_key\": *\"[^\"]*\"#\"client_key\":$(sed -n 's/.*"client_key": *\("[^"]*"\).*/\1/p' second/secrets.json | sed 's/[\\&#]/\\&/g')#" \
    first/secrets.json >mixed.json
refused key_of_another "$(by_socat <mixed.json)" bad_certificate
said=$(by_tool mixed.json)
equal tool_refused_status $? 1
contains tool_refused_reason "$said" bad_certificate
holds old_ones_stay in_force first
equal old_version_stays "$(version)" 4
holds no_content_in_the_log sh -c '! grep -e hunter2 -e "PRIVATE KEY" enclave.log'

# A full disk refuses the delivery, and what was there stays; the directory itself may go and come.
dd if=/dev/zero of=certs/filler bs=1k 2>/dev/null
refused full_disk "$(by_socat <second/secrets.json)" cannot_store
holds full_disk_keeps_the_files in_force first
equal full_disk_keeps_the_version "$(version)" 4
equal full_disk_leaves_nothing "$(ls certs | tr '\n' ' ')" "client.crt client.key ecs-ca.crt filler "
umount certs && rmdir certs
refused directory_gone "$(by_socat <second/secrets.json)" cannot_store
equal directory_gone_keeps_the_version "$(version)" 4
mkdir certs

# Half a delivery, then nothing: others are served meanwhile, and the sender is told when its time is over.
(head -c 100 first/secrets.json; sleep 14) | socat -t 20 - VSOCK-CONNECT:1:7777 >stalled 2>&1 &
stalled=$!
contains others_are_served_meanwhile "$(by_socat <second/secrets.json)" '"version":5'
wait $stalled
contains stalled_is_told "$(cat stalled)" '"code":"timeout"'

# Many at once: each is answered with a version of its own.
many=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
    socat -t 60 - VSOCK-CONNECT:1:7777 <first/secrets.json >"many.$i" 2>&1 &
    many="$many $!"
done
# shellcheck disable=SC2086 # pids
wait $many
equal many_at_once "$(cat many.* | sed 's/.*"version"://; s/}//' | sort -n | tr '\n' ' ')" "$(seq -s ' ' 6 21) "
kill "$ENCLAVE"
wait "$ENCLAVE"
equal ends_well $? 0

# Sealed: the host sees no word of it, and its own deliveries are refused.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out signer.pem 2>/dev/null
start sealing env SECRETS_ADDRESS=vsock:any:7777 SECRETS_DIR="$WORK/certs" SECRETS_MODE=sealed \
    SECRETS_SIGNERS="$(teegate secrets signer signer.pem)" ATTESTATION_DEVICE=simulator \
    teegate-enclave --local-mode
listening vsock:local:7777
listening vsock:local:8443
serve tcp:127.0.0.1:9443 tg-vm-peer dial vsock:local:8443
contains sealed_takes_nothing_open "$(by_socat <second/secrets.json)" '"code":"not_sealed"'
contains sealed_is_taken "$(by_tool sealed/secrets.json --sign signer.pem --attestation https://127.0.0.1:9443 --allow test-root \
    --allow any-image --allow development --allow open-encrypt)" '"applied":["MTLS_CLIENT_CERT_JSON"]'
holds sealed_is_in_force in_force sealed
printf '{"TLS_CERT_JSON":{"cert":"%s","key":"%s"}}' "$(sed ':a;N;$!ba;s/\n/\\n/g' sealed/server.crt)\\n" \
    "$(sed ':a;N;$!ba;s/\n/\\n/g' sealed/server.key)\\n" >own.json
contains own_identity_is_taken "$(by_tool own.json --sign signer.pem --attestation https://127.0.0.1:9443 --allow test-root \
    --allow any-image --allow development --allow open-encrypt)" '"applied":["TLS_CERT_JSON"]'
shown() { openssl s_client -connect 127.0.0.1:9443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256; }
equal own_identity_is_shown "$(shown)" "$(openssl x509 -in sealed/server.crt -noout -fingerprint -sha256)"
