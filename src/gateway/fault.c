#include "gateway/fault.h"

#include "base/text.h"

static tg_result append_member(tg_buf *out, const char *name, const char *text)
{
    TG_TRY(tg_buf_printf(out, "\"%s\":", name));
    return tg_json_append_string(out, tg_slice_str(text));
}

const char *tg_gateway_fault_content_type(const tg_gateway_fault *fault)
{
    return fault->problem_type != NULL ? "application/problem+json" : "application/json";
}

tg_result tg_gateway_fault_append_json(const tg_gateway_fault *fault, tg_buf *out)
{
    TG_TRY(tg_buf_append_byte(out, '{'));
    if (fault->problem_type != NULL) {
        TG_TRY(append_member(out, "type", fault->problem_type));
        TG_TRY(tg_buf_printf(out, ",\"status\":%u,", fault->status));
        TG_TRY(append_member(out, "title", fault->message));
        TG_TRY(tg_buf_append_byte(out, ','));
    }
    TG_TRY(append_member(out, "code", fault->code));
    TG_TRY(tg_buf_append_byte(out, ','));
    TG_TRY(append_member(out, "message", fault->message));
    return tg_buf_append_byte(out, '}');
}
