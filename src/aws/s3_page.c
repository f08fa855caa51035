#include "aws/s3_page.h"

#include "aws/xml.h"
#include "base/num.h"
#include "http/target.h"

enum { MAX_TOKEN_BYTES = 4096 };

typedef struct page_reader {
    tg_arena *arena;
    tg_aws_s3_object *objects;
    size_t num_objects;
    tg_aws_s3_object current;
    unsigned members; /* of the current object, by bit */
    bool is_encoded;
    bool has_truncated;
    bool is_truncated;
    tg_slice next_token;
    bool is_listing;
} page_reader;

enum { HAS_KEY = 1u, HAS_ETAG = 2u, HAS_SIZE = 4u, HAS_ALL = 7u };

static tg_result read_object(page_reader *page, tg_slice name, tg_slice text)
{
    unsigned bit = 0;
    if (tg_slice_equal(name, TG_LIT("Key"))) {
        bit = HAS_KEY;
        TG_TRY(tg_arena_copy(page->arena, text, &page->current.key));
    } else if (tg_slice_equal(name, TG_LIT("ETag"))) {
        bit = HAS_ETAG;
        TG_TRY(tg_arena_copy(page->arena, text, &page->current.etag));
    } else if (tg_slice_equal(name, TG_LIT("Size"))) {
        bit = HAS_SIZE;
        TG_TRY(tg_num_parse_u64(text, INT64_MAX, &page->current.size_bytes));
    }
    if ((page->members & bit) != 0) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    page->members |= bit;
    return tg_ok();
}

static tg_result end_object(page_reader *page)
{
    if (page->members != HAS_ALL) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (page->num_objects == TG_AWS_S3_MAX_OBJECTS) {
        return tg_fail(TG_ERR_LIMIT);
    }
    page->objects[page->num_objects++] = page->current;
    page->members = 0;
    return tg_ok();
}

static tg_result read_listing(page_reader *page, tg_slice name, bool is_leaf, tg_slice text)
{
    if (tg_slice_equal(name, TG_LIT("Contents"))) {
        return is_leaf ? tg_fail(TG_ERR_SYNTAX) : end_object(page);
    }
    if (tg_slice_starts(name, TG_LIT("Contents/"))) {
        return is_leaf ? read_object(page, tg_slice_from(name, sizeof "Contents/" - 1), text) : tg_ok();
    }
    if (tg_slice_equal(name, TG_LIT("IsTruncated"))) {
        page->is_truncated = tg_slice_equal(text, TG_LIT("true"));
        page->has_truncated = page->is_truncated || tg_slice_equal(text, TG_LIT("false"));
    } else if (tg_slice_equal(name, TG_LIT("EncodingType"))) {
        page->is_encoded = tg_slice_equal(text, TG_LIT("url"));
    } else if (tg_slice_equal(name, TG_LIT("NextContinuationToken"))) {
        if (text.len == 0 || text.len > MAX_TOKEN_BYTES) {
            return tg_fail(TG_ERR_SYNTAX);
        }
        return tg_arena_copy(page->arena, text, &page->next_token);
    }
    return tg_ok();
}

static tg_result on_element(tg_slice path, bool is_leaf, tg_slice text, void *owner)
{
    page_reader *page = owner;
    tg_slice root = TG_LIT("ListBucketResult");
    if (tg_slice_equal(path, root)) {
        page->is_listing = true;
        return tg_ok();
    }
    if (!tg_slice_starts(path, TG_LIT("ListBucketResult/"))) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    return read_listing(page, tg_slice_from(path, root.len + 1), is_leaf, text);
}

/* S3 writes a blank as `+` and a plus sign as %2B. The slice is the arena's, so that it can be changed in place. */
static tg_result decode_key(tg_slice *key)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)key->ptr;
    for (size_t i = 0; i < key->len; i++) {
        bytes[i] = bytes[i] == '+' ? ' ' : bytes[i];
    }
    return tg_http_percent_decode(*key, bytes, &key->len);
}

tg_result tg_aws_s3_page_parse(tg_slice xml, tg_arena *arena, tg_aws_s3_page *out_page)
{
    page_reader page = {.arena = arena};
    page.objects = tg_arena_zalloc(arena, TG_AWS_S3_MAX_OBJECTS, sizeof *page.objects);
    if (page.objects == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    TG_TRY(tg_aws_xml_read(xml, on_element, &page));
    if (!page.is_listing || !page.has_truncated || (page.is_truncated && page.next_token.len == 0)) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    for (size_t i = 0; i < page.num_objects; i++) {
        if (page.is_encoded) {
            TG_TRY(decode_key(&page.objects[i].key));
        }
        if (page.objects[i].key.len > TG_AWS_S3_MAX_KEY_BYTES) {
            return tg_fail(TG_ERR_LIMIT);
        }
    }
    *out_page = (tg_aws_s3_page){page.objects, page.num_objects, page.is_truncated, page.next_token};
    return tg_ok();
}
