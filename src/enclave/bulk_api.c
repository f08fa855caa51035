#include "enclave/bulk_api.h"

#include "base/num.h"
#include "base/text.h"
#include "enclave/field_access.h"
#include "enclave/measures.h"

enum {
    STEP_BUDGET = 65536, /* bytes of work in one turn of the loop: some 100 us */
    WRITE_BYTES = 32768, /* of one piece of the answer */
    KEPT_OUT_BYTES = 65536,
    COUNTED_FIELDS = 10000 /* sealed or opened, after which the metrics are told */
};

struct tg_bulk {
    tg_tick tick;
    tg_site *site;
    tg_http_request *request;
    tg_serving *serving; /* NULL: the answer has ended */
    const tg_schema *schema;
    tg_ndjson ndjson;
    tg_buf input; /* the piece of the body that is in work */
    tg_buf out;
    size_t budgeted;
    uint64_t num_fields_told, num_old_key_told, num_bad_tokens_told;
    bool is_begun; /* the answer */
    bool is_body_over;
};

bool tg_bulk_is_asked(tg_slice content_type)
{
    tg_slice rest = content_type;
    tg_slice type = tg_slice_trim(tg_slice_split(&rest, ';'), " \t");
    bool is_utf8 = rest.ptr == NULL || tg_text_equal_nocase(tg_slice_trim(rest, " \t"), TG_LIT("charset=utf-8"));
    return is_utf8 && tg_text_equal_nocase(type, TG_LIT("application/x-ndjson"));
}

/* What the base does not count of so much memory for lines and what they become. */
static size_t beyond_base(size_t num_bytes)
{
    return num_bytes - tg_size_min(num_bytes, TG_NDJSON_SMALL_BYTES);
}

static bool may_hold(void *owner, size_t num_bytes)
{
    tg_bulk *bulk = owner;
    size_t wanted = TG_BULK_BASE_BYTES + beyond_base(num_bytes);
    if (wanted > bulk->budgeted) {
        if (!tg_http_budget_take(bulk->site->budget, wanted - bulk->budgeted, bulk->budgeted)) {
            return false;
        }
        bulk->budgeted = wanted;
    }
    return true;
}

static void lower_budget(tg_bulk *bulk, size_t wanted)
{
    if (wanted < bulk->budgeted) {
        tg_http_budget_give(bulk->site->budget, bulk->budgeted - wanted);
        bulk->budgeted = wanted;
    }
}

static void tell_fields(tg_bulk *bulk)
{
    const tg_ndjson *ndjson = &bulk->ndjson;
    tg_measures_fields(tg_schema_name(bulk->schema), tg_field_access_is_encrypt(bulk->request),
                       (size_t)(ndjson->num_fields - bulk->num_fields_told),
                       (size_t)(ndjson->num_old_key - bulk->num_old_key_told));
    bulk->num_fields_told = ndjson->num_fields;
    bulk->num_old_key_told = ndjson->num_old_key;
}

/* Gives back all but what the connection still has to write. */
static void release(tg_bulk *bulk)
{
    if (bulk->serving == NULL) {
        return;
    }
    tell_fields(bulk);
    tg_tick_cancel(&bulk->tick);
    tg_ndjson_done(&bulk->ndjson);
    tg_buf_done(&bulk->input);
    tg_buf_done(&bulk->out);
    tg_serving_unref(TG_TAKE(bulk->serving));
    lower_budget(bulk, TG_BULK_BASE_BYTES);
}

static void break_off(tg_bulk *bulk)
{
    tg_http_request *request = bulk->request;
    release(bulk);
    tg_http_answer_abort(request);
}

/* The client's right is looked at again: its certificate may have ended, or its authority been replaced. */
static bool is_still_allowed(const tg_bulk *bulk)
{
    const tg_site *site = bulk->site;
    bool is_open = tg_field_access_list(site, bulk->request) == NULL;
    return is_open || (tg_serving_has_same_issuers(bulk->serving, site->serving) &&
                       tg_field_access_is_allowed(site, bulk->request));
}

/* Goes on with the keys and schemas of now. */
static bool take_up(tg_bulk *bulk)
{
    tg_pii_root root;
    const tg_schema *schema;
    tg_serving *next = bulk->site->serving;
    if (tg_serving_keys(next) == NULL ||
        !tg_is_ok(tg_field_access_find_schema(bulk->site, bulk->request, tg_serving_snapshot(next), &root, &schema))) {
        return false;
    }
    tell_fields(bulk);
    tg_ndjson_set_root(&bulk->ndjson, &root);
    bulk->schema = schema;
    tg_serving_ref(next);
    tg_serving_unref(bulk->serving);
    bulk->serving = next;
    return true;
}

static bool may_go_on(tg_bulk *bulk)
{
    if (!is_still_allowed(bulk)) {
        tg_measures_refused("forbidden");
        return false;
    }
    return bulk->serving == bulk->site->serving || !tg_ndjson_is_between_lines(&bulk->ndjson) || take_up(bulk);
}

/* Hands what is finished to the connection. err: TG_ERR_AGAIN: on_writable will be called */
static tg_result write_out(tg_bulk *bulk)
{
    tg_buf *out = &bulk->out;
    while (tg_buf_len(out) > bulk->ndjson.unfinished) {
        size_t len = tg_size_min(tg_buf_len(out) - bulk->ndjson.unfinished, WRITE_BYTES);
        TG_TRY(tg_http_answer_write(bulk->request, tg_slice_first(tg_buf_slice(out), len)));
        tg_buf_consume(out, len);
    }
    if (tg_buf_len(out) == 0 && out->cap > KEPT_OUT_BYTES) {
        tg_buf_release(out);
    }
    lower_budget(bulk, TG_BULK_BASE_BYTES + beyond_base(tg_ndjson_held(&bulk->ndjson) + out->cap));
    return tg_ok();
}

static tg_result work(tg_bulk *bulk)
{
    tg_result result = tg_ndjson_step(&bulk->ndjson, tg_serving_keys(bulk->serving), STEP_BUDGET, &bulk->out);
    if (bulk->ndjson.num_bad_tokens > bulk->num_bad_tokens_told) {
        bulk->num_bad_tokens_told = bulk->ndjson.num_bad_tokens;
        tg_key_service_ask(bulk->site->keys); /* another replica may have rotated already */
    }
    if (bulk->ndjson.num_fields - bulk->num_fields_told >= COUNTED_FIELDS) {
        tell_fields(bulk);
    }
    return result;
}

/* Nothing more is read from the client until a tick or on_writable goes on. */
static void wait(tg_bulk *bulk, bool is_for_tick)
{
    tg_http_request_pause(bulk->request);
    if (is_for_tick) {
        tg_loop_tick(bulk->site->loop, &bulk->tick);
    }
}

/* All that was given is used up, and what came of it is on its way. */
static void end_piece(tg_bulk *bulk)
{
    tg_http_request *request = bulk->request;
    if (bulk->is_body_over) {
        release(bulk);
        tg_http_answer_end(request);
    } else {
        tg_buf_clear(&bulk->input);
        tg_http_request_resume(request);
    }
}

/* One turn's worth of work. */
static void advance(tg_bulk *bulk)
{
    tg_result worked = tg_ok(), written = write_out(bulk);
    if (tg_is_ok(written)) {
        worked = may_go_on(bulk) ? work(bulk) : tg_fail(TG_ERR_CANCELLED);
        bool is_fine = tg_is_ok(worked) || worked.code == TG_ERR_AGAIN;
        written = is_fine ? write_out(bulk) : worked;
    }
    if (written.code == TG_ERR_AGAIN) {
        wait(bulk, false);
    } else if (!tg_is_ok(written)) {
        break_off(bulk);
    } else if (worked.code == TG_ERR_AGAIN) {
        wait(bulk, true);
    } else {
        end_piece(bulk);
    }
}

static void run_tick(tg_tick *tick)
{
    advance((tg_bulk *)((char *)tick - offsetof(tg_bulk, tick)));
}

tg_result tg_bulk_new(tg_site *site, tg_http_request *request, const tg_rewrite_options *options,
                      const tg_schema *schema, tg_bulk **out_bulk)
{
    tg_bulk *bulk = tg_arena_zalloc(request->arena, 1, sizeof *bulk);
    if (bulk == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (!tg_http_budget_take(site->budget, TG_BULK_BASE_BYTES, 0)) {
        return tg_fail(TG_ERR_LIMIT);
    }
    const tg_ndjson_options ndjson_options = {
        .rewrite = *options, .max_line_bytes = TG_BULK_LINE_BYTES, .may_hold = may_hold, .owner = bulk};
    *bulk = (tg_bulk){.tick.run = run_tick,
                      .site = site,
                      .request = request,
                      .serving = tg_serving_ref(site->serving),
                      .schema = schema,
                      .budgeted = TG_BULK_BASE_BYTES};
    tg_ndjson_init(&bulk->ndjson, &ndjson_options);
    tg_buf_init_wiped(&bulk->input, SIZE_MAX / 2);
    tg_buf_init_wiped(&bulk->out, SIZE_MAX / 2);
    tg_http_request_limit_body(request, UINT64_MAX);
    tg_http_request_stream_body(request);
    tg_http_request_answer_early(request);
    *out_bulk = bulk;
    return tg_ok();
}

/* The answer begins with the first piece, or with the end where there is none: until then a head's refusal has its
 * status. */
static void begin_answer(tg_bulk *bulk)
{
    const tg_http_header headers[] = {TG_HTTP_HEADER("Content-Type", "application/x-ndjson"),
                                      TG_HTTP_HEADER("Cache-Control", "no-store")};
    if (!bulk->is_begun) {
        bulk->is_begun = true;
        tg_http_answer_begin(bulk->request, 200, headers, TG_COUNT(headers), TG_HTTP_UNKNOWN_LENGTH);
    }
}

void tg_bulk_take(tg_bulk *bulk, tg_slice piece)
{
    begin_answer(bulk);
    if (!tg_is_ok(tg_buf_append(&bulk->input, piece))) {
        break_off(bulk);
        return;
    }
    tg_ndjson_feed(&bulk->ndjson, tg_buf_slice(&bulk->input));
    advance(bulk);
}

void tg_bulk_end(tg_bulk *bulk)
{
    begin_answer(bulk);
    bulk->is_body_over = true;
    tg_ndjson_end(&bulk->ndjson);
    advance(bulk);
}

void tg_bulk_write(tg_bulk *bulk)
{
    if (bulk->serving != NULL) {
        advance(bulk);
    }
}

void tg_bulk_cancel(tg_bulk *bulk)
{
    release(bulk);
}

void tg_bulk_settle(tg_bulk *bulk)
{
    release(bulk);
    lower_budget(bulk, 0);
}
