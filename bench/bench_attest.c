// room: attest
/* Attestation: a genuine document of AWS read and verified, as a client does for each enclave that it talks to. */
#include "measure.h"

#include "attest/nitro_document.h"
#include "attest/nitro_root.h"
#include "sys/file.h"

/* From the folder that script/bench runs in. */
#define DOCUMENT "tests/vectors/nitro/doc-11.cbor"

static tg_slice bytes;

static void parse(void *owner)
{
    tg_nitro_document *document = owner;
    tg_bench_need(tg_nitro_document_parse(bytes, document, NULL));
}

static void verify(void *owner)
{
    parse(owner);
    tg_bench_need(tg_nitro_document_verify(owner, tg_nitro_root(), NULL));
}

int main(void)
{
    tg_buf file;
    tg_nitro_document document;
    tg_buf_init(&file, TG_MAX_NITRO_DOCUMENT_BYTES);
    tg_bench_need(tg_file_read(DOCUMENT, &file));
    bytes = tg_buf_slice(&file);
    double parsed_ns = tg_bench_ns(parse, &document), verified_ns = tg_bench_ns(verify, &document);
    printf("| attestation document of %zu bytes: read | %.2f | us |\n", bytes.len, parsed_ns / 1e3);
    printf("| attestation document: read and verified, 5 certificates | %.0f | us |\n", verified_ns / 1e3);
    printf("| attestation documents verified by one core | %.0f | documents/s |\n", 1e9 / verified_ns);
    tg_buf_done(&file);
    return 0;
}
