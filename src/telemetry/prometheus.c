#include "telemetry/prometheus.h"

#include "sys/metric.h"

/* Times as decimal seconds, without the zeros at the end. */
static tg_result append_number(tg_buf *buf, const tg_metric_family *family, uint64_t number)
{
    if (family->unit != TG_METRIC_IN_NANOSECONDS) {
        return tg_buf_append_u64(buf, number);
    }
    TG_TRY(tg_buf_append_u64(buf, number / 1000000000));
    uint64_t fraction = number % 1000000000;
    int num_digits = 9;
    for (; fraction > 0 && fraction % 10 == 0; num_digits--) {
        fraction /= 10;
    }
    return fraction > 0 ? tg_buf_printf(buf, ".%0*llu", num_digits, (unsigned long long)fraction) : tg_ok();
}

static tg_result append_gauge(tg_buf *buf, const tg_metric_family *family, int64_t number)
{
    if (number < 0) {
        TG_TRY(tg_buf_append_byte(buf, '-'));
        return append_number(buf, family, 0 - (uint64_t)number);
    }
    return append_number(buf, family, (uint64_t)number);
}

static tg_result append_escaped(tg_buf *buf, tg_slice text, bool is_quoted)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '\n') {
            TG_TRY(tg_buf_append_str(buf, "\\n"));
            continue;
        }
        if (c == '\\' || (c == '"' && is_quoted)) {
            TG_TRY(tg_buf_append_byte(buf, '\\'));
        }
        TG_TRY(tg_buf_append_byte(buf, c));
    }
    return tg_ok();
}

static tg_result append_head(tg_buf *buf, const tg_metric_family *family)
{
    static const char *const kind_names[] = {
        [TG_METRIC_COUNTER] = "counter", [TG_METRIC_GAUGE] = "gauge", [TG_METRIC_HISTOGRAM] = "histogram"};
    TG_TRY(tg_buf_printf(buf, "# HELP %s ", family->name));
    TG_TRY(append_escaped(buf, tg_slice_str(family->help), false));
    return tg_buf_printf(buf, "\n# TYPE %s %s\n", family->name, kind_names[family->kind]);
}

/* NAMEsuffix{label="value",le="bound"} and a blank; `bound` NULL for none, number ignored where it is "+Inf". */
static tg_result append_series(tg_buf *buf, const tg_metric_family *family, const tg_metric *child, const char *suffix,
                               const uint64_t *bound, bool is_last)
{
    size_t num_labels = tg_metric_num_labels(family);
    bool has_bound = bound != NULL || is_last;
    TG_TRY(tg_buf_printf(buf, "%s%s", family->name, suffix));
    for (size_t i = 0; i < num_labels; i++) {
        TG_TRY(tg_buf_printf(buf, "%c%s=\"", i == 0 ? '{' : ',', family->labels[i]));
        TG_TRY(append_escaped(buf, tg_metric_label_value(child, i), true));
        TG_TRY(tg_buf_append_byte(buf, '"'));
    }
    if (has_bound) {
        TG_TRY(tg_buf_printf(buf, "%cle=\"", num_labels == 0 ? '{' : ','));
        TG_TRY(is_last ? tg_buf_append_str(buf, "+Inf") : append_number(buf, family, *bound));
        TG_TRY(tg_buf_append_byte(buf, '"'));
    }
    return tg_buf_append_str(buf, num_labels > 0 || has_bound ? "} " : " ");
}

static tg_result append_histogram(tg_buf *buf, const tg_metric_family *family, const tg_metric *child)
{
    const uint64_t *bounds = family->bounds != NULL ? family->bounds : tg_latency_bounds;
    size_t num_bounds = family->bounds != NULL ? family->num_bounds : TG_NUM_LATENCY_BOUNDS;
    tg_metric_reading reading;
    uint64_t so_far = 0;
    tg_metric_read(child, &reading);
    for (size_t i = 0; i < num_bounds && i < TG_MAX_METRIC_BOUNDS; i++) {
        so_far += reading.buckets[i];
        TG_TRY(append_series(buf, family, child, "_bucket", &bounds[i], false));
        TG_TRY(tg_buf_append_u64(buf, so_far));
        TG_TRY(tg_buf_append_byte(buf, '\n'));
    }
    TG_TRY(append_series(buf, family, child, "_bucket", NULL, true));
    TG_TRY(tg_buf_append_u64(buf, reading.count));
    TG_TRY(tg_buf_append_byte(buf, '\n'));
    TG_TRY(append_series(buf, family, child, "_sum", NULL, false));
    TG_TRY(append_number(buf, family, reading.number));
    TG_TRY(tg_buf_append_byte(buf, '\n'));
    TG_TRY(append_series(buf, family, child, "_count", NULL, false));
    TG_TRY(tg_buf_append_u64(buf, reading.count));
    return tg_buf_append_byte(buf, '\n');
}

static tg_result append_child(tg_buf *buf, const tg_metric_family *family, const tg_metric *child)
{
    if (family->kind == TG_METRIC_HISTOGRAM) {
        return append_histogram(buf, family, child);
    }
    TG_TRY(append_series(buf, family, child, "", NULL, false));
    if (family->kind == TG_METRIC_GAUGE) {
        TG_TRY(append_gauge(buf, family, tg_metric_gauge(child)));
    } else {
        TG_TRY(append_number(buf, family, tg_metric_counter(child)));
    }
    return tg_buf_append_byte(buf, '\n');
}

tg_result tg_prometheus_append(tg_buf *buf)
{
    tg_metric_collect();
    for (const tg_metric_family *family = tg_metric_next_family(NULL); family != NULL;
         family = tg_metric_next_family(family)) {
        TG_TRY(append_head(buf, family));
        for (const tg_metric *child = tg_metric_next_child(family, NULL); child != NULL;
             child = tg_metric_next_child(family, child)) {
            TG_TRY(append_child(buf, family, child));
        }
    }
    return tg_ok();
}
