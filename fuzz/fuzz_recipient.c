// room: attest crypto
/* Any bytes as KMS's answer to a fixed key, which the corpus is encrypted to: a key of the length asked for, or a
 * reason. */
#include "attest/recipient.h"
#include "base/encode.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key_base64[] =
    "MIIEogIBAAKCAQEA2sWs1MJDtzU2RUIIAXSYr4o+9NXQAJezK+9WIEfIHbYT63ID99QYmlGje7xmZrd2oDScA5daBFdm8SBNOn2A"
    "VSJ8j6U44zGnlcJT6cxCokgyfIJ471sQ3Spx0lh0bUu6CZ5xQyfFhPCY7/ZdSwdvidfDHiPmgmFUFUD62RghtGLPe3Da0oggojpY"
    "P5CnWuhWAbUO5lR0qQqojtWdlE5wliMe+y8d5Tp8+r86tM2nacjO1HjsxoICOZTe+tcwDmaeOPzlLZAW4q83UoDyx49sEgwx0fPA"
    "o3WT90ffX/sVFVypSeTvL4OXRIWgR8zPhfyGPhvr/HSi8SZyrOK6la7lAQIDAQABAoH/cQQthLvWv459usmh2R6iwgxo+ZJ7IdM8"
    "fDXoCEUM3Exzfe4onp6zFwWVrxZk0Ct23MxQzIojtppwU6CcRNsQsOpf7tUrzjKYoIUDVIRw5+TkL+43C2/ABoEmy8NmYg/8y3tO"
    "h6LEJykj2NMs3tW4iT0tTyS8sB4XkeM/s2cEAmsUmjwes36Tg6lhUN/nUz6l0Y3QDUVgol9hi9sBaNC/+/ovVcpSnOYt0fZKUhVz"
    "qBgc39zuE9MswKQKK8eDbPp5J787ygInp7bwgg/KvOeW/ZeiR5ytgRKPhjPdk+9vE4zAFjZ5EYZZtCwbB3YFoddXyCkM2uWDiDO0"
    "TsYtGBcBAoGBAPUl1DUGEREINlDNC8wRx6MFLudsDuawkasXTLZ5Gj+mBLKWdsB5akml6phXJTuJcHCjCi7XNgURgmQ0SjBxXA1p"
    "0tX0qeUhV7mdVnVtjlJJlx86KUUGK31M0n5t3rUzp5b5AZbUwzkHf0tQ900bhjVm7WdqZRxIjwyEtV/pXLbhAoGBAOR08Oe8wgR0"
    "SuMyJZS6kIo2sHxx4gBcpXtyPNM8dTamHxBTWLmOOhm+DgIe/YzNYgJOg+31lBcjlv7E9xtI2l44uBEWjjomQJAmZ15Ir6ZTeiem"
    "URkmucBWtnBfYY3VKBlPgfWSaHMWwAv8B0Fjd9DYJK4oqqNZSvbVd21RT5IhAoGAFsL1ahrvGLq/eE8hikgYVi2UBk7FL2wzikQ2"
    "jja+ViyPARnxWrurP71VA+ILhfSj6QFqX6EB1gSjK7SjMs5DsschmVYHNEwdPhG6xlpuvXsxueeHj24cOZ0Zaj2/UOnD5MOn/x4w"
    "JippClAxNgqZMnolDtYVH0QpbAsiYA5l2mECgYEAuCBYGS3U4WopATvldh13aS3yyBmxIMGKzhegVk+f2M/CsZG7LLIouZ6oA6We"
    "jODrYRiO1DbdiFiy1dtBncf114K3N26KautxlbyeCytiBhe5mEM/kZnYk+BPYfo90eY+T0f5YkcBz+BCIGacImNcqgHKbmNwQ/8v"
    "oAkkHAMwsoECgYEA7xrJB+KM1p06Z0maBUfnQTnDEMfp7ZmmHNRLBG3+OLFN0NtUFwUhQpEcim95ofwfot3hwR1XWBgk0fP0o75q"
    "Z94jixXSFCBSdQvGDl6AiQc+LjnszZf+N3dZfFewbcSp7JlW18v/N+rs4rWH+Yb6X/1zI+VABT0YfRSmOYJHd/w=";

static tg_recipient *make_recipient(void)
{
    static uint8_t der[sizeof key_base64];
    size_t len = 0;
    const unsigned char *at = der;
    tg_recipient *recipient = NULL;
    if (!tg_is_ok(tg_base64_decode(TG_BASE64_PADDED, tg_slice_str(key_base64), der, &len)) ||
        !tg_is_ok(tg_recipient_adopt(d2i_AutoPrivateKey(NULL, &at, (long)len), &recipient))) {
        abort();
    }
    return recipient;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tg_recipient *recipient;
    tg_secret *secret = NULL;
    tg_detail detail = {0};
    if (recipient == NULL) {
        recipient = make_recipient();
    }
    if (tg_is_ok(tg_recipient_open(recipient, tg_slice_of(data, size), 32, &secret, &detail))) {
        if (tg_secret_len(secret) != 32) {
            abort();
        }
        tg_secret_free(secret);
    } else if (detail.reason[0] == 0) {
        abort();
    }
    return 0;
}
