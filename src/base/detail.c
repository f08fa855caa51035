#include "base/detail.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void tg_detail_clear(tg_detail *detail)
{
    if (detail != NULL) {
        *detail = (tg_detail){0};
    }
}

static void copy_printable(char *out, size_t cap, tg_slice text)
{
    tg_buf buf;
    tg_buf_init(&buf, cap - 1);
    for (size_t i = 0; i < text.len; i++) {
        if (!tg_is_ok(tg_text_append_printable(&buf, tg_slice_of(text.ptr + i, 1), 1))) {
            break;
        }
    }
    tg_slice shown = tg_buf_slice(&buf);
    if (shown.ptr != NULL) {
        memcpy(out, shown.ptr, shown.len);
    }
    out[shown.len] = 0;
    tg_buf_done(&buf);
}

void tg_detail_set_place(tg_detail *detail, tg_slice file, unsigned line, tg_slice field)
{
    if (detail != NULL) {
        copy_printable(detail->file, sizeof detail->file, file);
        detail->line = line;
        copy_printable(detail->field, sizeof detail->field, field);
    }
}

void tg_detail_set_reason(tg_detail *detail, const char *format, ...)
{
    if (detail != NULL) {
        char text[sizeof detail->reason];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        copy_printable(detail->reason, sizeof detail->reason, tg_slice_str(text));
    }
}

void tg_detail_set_remedy(tg_detail *detail, const char *format, ...)
{
    if (detail != NULL) {
        char text[sizeof detail->remedy];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        copy_printable(detail->remedy, sizeof detail->remedy, tg_slice_str(text));
    }
}

tg_result tg_detail_append(const tg_detail *detail, tg_buf *buf)
{
    if (detail->file[0] != 0) {
        TG_TRY(tg_buf_append_str(buf, detail->file));
        if (detail->line > 0) {
            TG_TRY(tg_buf_printf(buf, ":%u", detail->line));
        }
        TG_TRY(tg_buf_append_str(buf, ": "));
    }
    if (detail->field[0] != 0) {
        TG_TRY(tg_buf_printf(buf, "%s: ", detail->field));
    }
    TG_TRY(tg_buf_append_str(buf, detail->reason));
    return detail->remedy[0] != 0 ? tg_buf_printf(buf, "; %s", detail->remedy) : tg_ok();
}

void tg_faults_init(tg_faults *faults)
{
    *faults = (tg_faults){0};
}

void tg_faults_done(tg_faults *faults)
{
    free(faults->faults);
    tg_faults_init(faults);
}

tg_detail *tg_faults_add(tg_faults *faults)
{
    static _Thread_local tg_detail surplus;
    size_t index = faults->num_faults++;
    tg_detail *detail = &surplus;
    if (index < TG_MAX_FAULTS) {
        if (faults->faults == NULL) {
            faults->faults = calloc(TG_MAX_FAULTS, sizeof *faults->faults);
        }
        detail = faults->faults != NULL ? &faults->faults[index] : &surplus;
    }
    tg_detail_clear(detail);
    return detail;
}

size_t tg_faults_kept(const tg_faults *faults)
{
    size_t kept = faults->num_faults < TG_MAX_FAULTS ? faults->num_faults : TG_MAX_FAULTS;
    return faults->faults != NULL ? kept : 0;
}
