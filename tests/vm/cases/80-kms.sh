# The enclaves' way to KMS over vsock: the caller's CID, as the kernel says it, decides the key; another CID is refused.
# programs: teegate-proxy
# python: base64 hashlib hmac json re socket sys threading
# files: tests/vm/peers/kms_stand_in.py:/vm/kms_stand_in.py
. /vm/case.sh

KEY=arn:aws:kms:eu-west-1:111122223333:key/one
start kms python3 /vm/kms_stand_in.py 4566 AKIDKMS kms-secret
listening tcp:127.0.0.1:4566

# proxied NAME CID PORT SECRET: a proxy whose one domain has that CID
proxied() {
    cat >"$1.json" <<CONFIG
{"domains": {"tee-k.example.org": {"cid": $2, "https": "vsock:local:8443", "kms_key": "$KEY"}},
 "listen": {"http": [], "https": [], "internet": [], "kms": "vsock:any:$3"}}
CONFIG
    start "$1" env PROXY_CONFIG="$WORK/$1.json" AWS_ENDPOINT_URL_KMS=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=AKIDKMS \
        AWS_SECRET_ACCESS_KEY="$4" teegate-proxy
    listening "vsock:local:$3"
}
proxied own 1 5000 kms-secret
proxied stranger 16 5001 kms-secret
proxied unsigned 1 5002 another-secret

# ask PORT OPERATION MEMBERS: one request, its answer
ask() { printf '{"operation":"%s","input":{%s}}\n' "$2" "$3" | timeout 60 tg-vm-peer dial "vsock:local:$1"; }
RECIPIENT='"Recipient":{"KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256","AttestationDocument":"bWU="}'
FOR_ME='"CiphertextForRecipient":"Zm9yIG1l"' # for me

said=$(ask 5000 Decrypt "\"CiphertextBlob\":\"YWJj\",$RECIPIENT")
contains cid_1_is_answered "$said" "$FOR_ME"
contains key_of_cid_1_is_filled_in "$said" "\"KeyId\":\"$KEY\""
contains key_made_without_plaintext "$(ask 5000 GenerateDataKeyWithoutPlaintext '"KeySpec":"AES_256"')" '"CiphertextBlob":"c2VhbGVk"'
contains another_key_refused "$(ask 5000 Decrypt "\"KeyId\":\"two\",$RECIPIENT")" '"code":"wrong_key"'
contains plaintext_refused "$(ask 5000 GenerateRandom '"NumberOfBytes":8')" '"code":"plaintext_refused"'
contains another_cid_refused "$(ask 5001 Decrypt "\"CiphertextBlob\":\"YWJj\",$RECIPIENT")" '"code":"unknown_caller"'
contains the_stand_in_looks_at_signatures "$(ask 5002 Decrypt "\"CiphertextBlob\":\"YWJj\",$RECIPIENT")" \
    '"code":"InvalidSignatureException"'
contains log_names_the_cid "$(grep '"kms call"' own.log)" '"cid":1,'
contains log_names_the_stranger "$(grep unknown_caller stranger.log)" '"peer":"vsock:1:'

# Two requests in one write, a byte at a time, and thirty callers at once.
equal two_in_one_write "$(
    request="{\"operation\":\"GenerateRandom\",\"input\":{$RECIPIENT}}"
    printf '%s%s' "$request" "$request" | timeout 60 tg-vm-peer dial vsock:local:5000 | grep -c "$FOR_ME"
)" 2
equal byte_by_byte "$(
    printf '{"operation":"GenerateRandom","input":{%s}}\n' "$RECIPIENT" | fold -w 1 |
        (while read -r byte; do printf %s "$byte"; done) | timeout 60 tg-vm-peer dial vsock:local:5000 | grep -c "$FOR_ME"
)" 1
for each in $(seq 30); do
    ask 5000 Decrypt "\"CiphertextBlob\":\"YWJj\",$RECIPIENT" >"said.$each" &
    callers="${callers-} $!"
done
# shellcheck disable=SC2086 # a list of process ids
wait $callers
equal thirty_at_once "$(cat said.* | grep -c "$FOR_ME")" 30
