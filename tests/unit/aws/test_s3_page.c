#include "aws/s3_page.h"

#include "base/buf.h"
#include "support/case.h"

#define OBJECT(key) "<Contents><Key>" key "</Key><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
#define END         "<IsTruncated>false</IsTruncated></ListBucketResult>"

static void parse_page_gives_decoded_keys(void **state)
{
    (void)state;
    tg_arena arena;
    tg_aws_s3_page page;
    tg_arena_init(&arena, 1 << 20, false);
    assert_ok(
        tg_aws_s3_page_parse(TG_LIT("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><Name>b</Name><Prefix/>"
                                    "<NextContinuationToken>t/1</NextContinuationToken><EncodingType>url</EncodingType>"
                                    "<IsTruncated>true</IsTruncated>" OBJECT("a+b%2B%C3%A9")
                                        OBJECT("c/") "<CommonPrefixes><Prefix>x</Prefix>"
                                                     "</CommonPrefixes></ListBucketResult>"),
                             &arena, &page));
    assert_int_equal(page.num_objects, 2);
    assert_slice(page.objects[0].key, "a b+\xc3\xa9");
    assert_slice(page.objects[0].etag, "\"e\"");
    assert_int_equal(page.objects[0].size_bytes, 7);
    assert_slice(page.objects[1].key, "c/");
    assert_true(page.is_truncated);
    assert_slice(page.next_token, "t/1");
    assert_ok(tg_aws_s3_page_parse(TG_LIT("<ListBucketResult>" OBJECT("a+b%2B") END), &arena, &page));
    assert_slice(page.objects[0].key, "a+b%2B");
    assert_false(page.is_truncated);
    tg_arena_done(&arena);
}

static void parse_other_pages_is_refused(void **state)
{
    (void)state;
    static const char *const pages[] = {
        "",
        "<ListBucketResult></ListBucketResult>",
        "<ListBucketResult/>",
        "<Other>" END,
        "<Error><Code>InternalError</Code></Error>",
        "<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><NextContinuationToken/>" END,
        "<ListBucketResult><Contents/>" END,
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents>" END,
        "<ListBucketResult><Contents><Key>a</Key><Key>b</Key><ETag>e</ETag><Size>1</Size></Contents>" END,
        "<ListBucketResult><Contents><Key>a</Key><ETag>e</ETag><Size>-1</Size></Contents>" END,
        "<ListBucketResult><EncodingType>url</EncodingType>" OBJECT("a%2") END,
    };
    tg_arena arena;
    tg_aws_s3_page page = {.num_objects = 3};
    tg_arena_init(&arena, 1 << 20, false);
    for (size_t i = 0; i < TG_COUNT(pages); i++) {
        assert_code(tg_aws_s3_page_parse(tg_slice_str(pages[i]), &arena, &page), TG_ERR_SYNTAX);
    }
    assert_int_equal(page.num_objects, 3);
    tg_arena_done(&arena);
}

static void parse_at_the_bounds_succeeds_and_one_over_is_refused(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        tg_arena arena;
        tg_aws_s3_page page;
        tg_buf xml;
        tg_arena_init(&arena, 4 << 20, false);
        tg_buf_init(&xml, 1 << 20);
        assert_ok(tg_buf_append_str(&xml, "<ListBucketResult>"));
        for (size_t i = 0; i < TG_AWS_S3_MAX_OBJECTS + over; i++) {
            assert_ok(tg_buf_append_str(&xml, OBJECT("a")));
        }
        assert_ok(tg_buf_append_str(&xml, END));
        assert_code(tg_aws_s3_page_parse(tg_buf_slice(&xml), &arena, &page), over > 0 ? TG_ERR_LIMIT : TG_OK);
        tg_buf_clear(&xml);
        assert_ok(tg_buf_append_str(&xml, "<ListBucketResult><Contents><Key>"));
        for (size_t i = 0; i < TG_AWS_S3_MAX_KEY_BYTES + over; i++) {
            assert_ok(tg_buf_append_str(&xml, "k"));
        }
        assert_ok(tg_buf_append_str(&xml, "</Key><ETag>e</ETag><Size>1</Size></Contents>" END));
        assert_code(tg_aws_s3_page_parse(tg_buf_slice(&xml), &arena, &page), over > 0 ? TG_ERR_LIMIT : TG_OK);
        tg_buf_done(&xml);
        tg_arena_done(&arena);
    }
    tg_arena small;
    tg_aws_s3_page page;
    tg_arena_init(&small, 64, false);
    assert_code(tg_aws_s3_page_parse(TG_LIT("<ListBucketResult>" END), &small, &page), TG_ERR_MEMORY);
    tg_arena_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_page_gives_decoded_keys),
        cmocka_unit_test(parse_other_pages_is_refused),
        cmocka_unit_test(parse_at_the_bounds_succeeds_and_one_over_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
