#include "attest/cose.h"

#include "attest/cbor_write.h"

/* Sig_structure = [ "Signature1", protected, h'', payload ] */
tg_result tg_cose_put_signed(tg_buf *buf, tg_slice protected_header, tg_slice payload)
{
    TG_TRY(tg_cbor_put_head(buf, TG_CBOR_ARRAY, 4));
    TG_TRY(tg_cbor_put_text(buf, "Signature1"));
    TG_TRY(tg_cbor_put_bytes(buf, protected_header));
    TG_TRY(tg_cbor_put_bytes(buf, TG_LIT("")));
    return tg_cbor_put_bytes(buf, payload);
}
