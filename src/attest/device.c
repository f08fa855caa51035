#include "attest/device.h"

#include "attest/nitro_document.h"
#include "sys/clock.h"

static tg_result check_len(tg_slice bytes, size_t max, const char *field, tg_detail *detail)
{
    if (bytes.len <= max) {
        return tg_ok();
    }
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(field));
    tg_detail_set_reason(detail, "is longer than the %zu bytes that a device takes", max);
    return tg_fail(TG_ERR_LIMIT);
}

/* The device's own clock is nothing that the host sets. */
static void vouch_for_time(tg_slice document)
{
    tg_nitro_document read;
    tg_detail detail = {0};
    if (tg_is_ok(tg_nitro_document_parse(document, &read, &detail))) {
        tg_clock_vouch(read.timestamp_unix_ms);
    }
}

tg_result tg_attest(tg_attest_device *device, const tg_attest_request *request, tg_buf *out_document, tg_detail *detail)
{
    size_t len_before = tg_buf_len(out_document);
    TG_TRY(check_len(request->nonce, TG_MAX_ATTEST_FIELD_BYTES, "nonce", detail));
    TG_TRY(check_len(request->user_data, TG_MAX_ATTEST_FIELD_BYTES, "user_data", detail));
    TG_TRY(check_len(request->public_key, TG_MAX_ATTEST_FIELD_BYTES, "public_key", detail));
    tg_result made = device->calls->attest(device, request, out_document, detail);
    if (tg_is_ok(made)) {
        vouch_for_time(tg_slice_from(tg_buf_slice(out_document), len_before));
    } else {
        tg_buf_truncate(out_document, len_before);
    }
    return made;
}

tg_result tg_attest_random(tg_attest_device *device, uint8_t *out, size_t len, tg_detail *detail)
{
    return device->calls->random(device, out, len, detail);
}

tg_result tg_attest_describe_pcr(tg_attest_device *device, unsigned index, tg_attest_pcr *out_pcr, tg_detail *detail)
{
    return device->calls->describe_pcr(device, index, out_pcr, detail);
}

tg_result tg_attest_extend_pcr(tg_attest_device *device, unsigned index, tg_slice bytes,
                               uint8_t out_value[TG_ATTEST_PCR_BYTES], tg_detail *detail)
{
    TG_TRY(check_len(bytes, TG_MAX_ATTEST_EXTENSION_BYTES, "extension", detail));
    return device->calls->extend_pcr(device, index, bytes, out_value, detail);
}

tg_result tg_attest_lock_pcr(tg_attest_device *device, unsigned index, tg_detail *detail)
{
    return device->calls->lock_pcr(device, index, detail);
}

void tg_attest_device_close(tg_attest_device *device)
{
    if (device != NULL) {
        device->calls->close(device);
    }
}
