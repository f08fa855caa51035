#!/bin/bash
# User data of an EC2 instance that runs an enclave: fetches the secret from Secrets Manager and delivers it to the
# enclave over vsock, in the background, so that the instance comes up at once. The instance's role needs
# secretsmanager:GetSecretValue on that secret alone; with a sealed delivery made elsewhere it holds no plaintext.
set -euo pipefail

SECRET_ID=${SECRET_ID:-teegate/secrets}
ENCLAVE_CID=${ENCLAVE_CID:-16}
SECRETS_PORT=${SECRETS_PORT:-7777}
NUM_TRIES=${NUM_TRIES:-60}

fetch() {
    aws secretsmanager get-secret-value --secret-id "$SECRET_ID" --query SecretString --output text
}

# `teegate secrets send` where the package is installed, else plain socat.
deliver() {
    if command -v teegate >/dev/null; then
        teegate secrets send "vsock:$ENCLAVE_CID:$SECRETS_PORT"
    else
        socat -t 10 - "VSOCK-CONNECT:$ENCLAVE_CID:$SECRETS_PORT"
    fi
}

main() {
    local secret number answer
    secret=$(fetch)
    for ((number = 1; number <= NUM_TRIES; number++)); do
        if answer=$(printf '%s' "$secret" | deliver) && [[ $answer == '{"status":"ok"'* ]]; then
            logger -t teegate-secrets -- "$answer"
            return 0
        fi
        sleep 2
    done
    logger -t teegate-secrets -p user.err -- "secrets were not delivered: ${answer:-the enclave does not answer}"
    return 1
}

main &
