#include "tool/suspects.h"

#include "base/text.h"

enum { MAX_WORDS = 12, MAX_WORD_BYTES = 32 };

/* Longer ones first where one begins with another. */
static const tg_suspect suspects[] = {
    {"social security", true},
    {"ssn", true},
    {"national insurance", true},
    {"nino", true},
    {"national id", true},
    {"national identity", true},
    {"identity number", true},
    {"id number", true},
    {"id card", true},
    {"aadhaar", true},
    {"aadhar", true},
    {"passport", true},
    {"driver license", true},
    {"driver licence", true},
    {"drivers license", true},
    {"drivers licence", true},
    {"driving license", true},
    {"driving licence", true},
    {"license plate", true},
    {"licence plate", true},
    {"tax id", true},
    {"tax identification", true},
    {"tax number", true},
    {"tax code", true},
    {"taxpayer", true},
    {"tin", true},
    {"card number", true},
    {"card no", true},
    {"credit card", true},
    {"debit card", true},
    {"cc number", true},
    {"pan", true},
    {"primary account", true},
    {"card holder", true},
    {"cvv", true},
    {"cvc", true},
    {"iban", true},
    {"bban", true},
    {"account number", true},
    {"account no", true},
    {"bank account", true},
    {"routing and account", true},
    {"email", true},
    {"e mail", true},
    {"mail address", true},
    {"phone", true},
    {"telephone", true},
    {"mobile number", true},
    {"cell number", true},
    {"msisdn", true},
    {"fax number", true},
    {"dob", true},
    {"birth", true},
    {"birthday", true},
    {"birthdate", true},
    {"birthplace", true},
    {"first name", true},
    {"last name", true},
    {"given name", true},
    {"family name", true},
    {"middle name", true},
    {"maiden name", true},
    {"full name", true},
    {"legal name", true},
    {"holder name", true},
    {"customer name", true},
    {"patient name", true},
    {"person name", true},
    {"party name", true},
    {"debtor name", true},
    {"creditor name", true},
    {"beneficiary name", true},
    {"payer name", true},
    {"payee name", true},
    {"contact name", true},
    {"surname", true},
    {"forename", true},
    {"street", true},
    {"address line", true},
    {"home address", true},
    {"postal address", true},
    {"mailing address", true},
    {"residential address", true},
    {"billing address", true},
    {"shipping address", true},
    {"delivery address", true},
    {"medical record", true},
    {"mrn", true},
    {"insurance number", true},
    {"policy holder", true},
    {"fingerprint", false},
    {"biometric", true},
    {"name", false},
    {"address", false},
    {"account", false},
    {"mobile", false},
    {"fax", false},
    {"zip", false},
    {"postcode", false},
    {"post code", false},
    {"postal code", false},
    {"city", false},
    {"town", false},
    {"gender", false},
    {"sex", false},
    {"nationality", false},
    {"religion", false},
    {"ethnicity", false},
    {"salary", false},
    {"income", false},
    {"ip", false},
    {"latitude", false},
    {"longitude", false},
    {"signature", false},
    {"photo", false},
    {"username", false},
};

/* A name that ends so speaks about the thing: `email_verified`, `phone_type`. */
static const char *const about[] = {"type",    "kind",      "count",   "status",   "verified", "enabled",  "required",
                                    "brand",   "currency",  "version", "format",   "template", "language", "available",
                                    "allowed", "confirmed", "valid",   "validity", "purpose",  "method",   "provider",
                                    "url",     "uri",       "link",    "href"};

typedef struct word {
    char text[MAX_WORD_BYTES + 1];
    size_t len;
} word;

/* Splits at what is no letter or digit, before a capital behind a small letter, and before the last capital of a run
 * that a small letter follows (`SSNNumber`); digits at a word's end are dropped (`address1`). */
static size_t split(tg_slice name, word *out)
{
    size_t num_words = 0;
    word current = {.len = 0};
    for (size_t i = 0; i <= name.len && num_words < MAX_WORDS; i++) {
        uint8_t c = i < name.len ? name.ptr[i] : 0;
        bool is_inner = tg_ascii_is_alpha(c) || tg_ascii_is_digit(c);
        bool is_capital = c >= 'A' && c <= 'Z';
        uint8_t before = i > 0 ? name.ptr[i - 1] : 0;
        uint8_t after = i + 1 < name.len ? name.ptr[i + 1] : 0;
        bool is_start = is_capital && ((before >= 'a' && before <= 'z') ||
                                       (before >= 'A' && before <= 'Z' && after >= 'a' && after <= 'z'));
        if ((!is_inner || is_start) && current.len > 0) {
            while (current.len > 1 && tg_ascii_is_digit((uint8_t)current.text[current.len - 1])) {
                current.len--;
            }
            current.text[current.len] = 0;
            out[num_words++] = current;
            current.len = 0;
        }
        if (is_inner && current.len < MAX_WORD_BYTES) {
            current.text[current.len++] = (char)tg_ascii_lower(c);
        }
    }
    return num_words;
}

/* `emails` is `email`, `addresses` is `address`. */
static bool is_word(const word *given, tg_slice expected)
{
    tg_slice text = tg_slice_of(given->text, given->len);
    return tg_slice_equal(text, expected) ||
           (tg_slice_starts(text, expected) && (tg_slice_equal(tg_slice_from(text, expected.len), TG_LIT("s")) ||
                                                tg_slice_equal(tg_slice_from(text, expected.len), TG_LIT("es"))));
}

static bool stands_at(const word *words, size_t num_words, const char *expected)
{
    tg_slice rest = tg_slice_str(expected);
    for (size_t i = 0; rest.ptr != NULL; i++) {
        tg_slice each = tg_slice_split(&rest, ' ');
        if (i == num_words || !is_word(&words[i], each)) {
            return false;
        }
    }
    return true;
}

/* Whether the word is all the expected ones run together: `cardnumber`. */
static bool is_run_together(const word *given, const char *expected)
{
    word joined = {.len = 0};
    for (; *expected != 0 && joined.len < MAX_WORD_BYTES; expected++) {
        if (*expected != ' ') {
            joined.text[joined.len++] = *expected;
        }
    }
    return is_word(given, tg_slice_of(joined.text, joined.len));
}

const tg_suspect *tg_suspect_find(tg_slice name)
{
    word words[MAX_WORDS];
    size_t num_words = split(name, words);
    for (size_t i = 0; num_words > 0 && i < TG_COUNT(about); i++) {
        if (is_word(&words[num_words - 1], tg_slice_str(about[i]))) {
            return NULL;
        }
    }
    for (size_t i = 0; i < TG_COUNT(suspects); i++) {
        for (size_t at = 0; at < num_words; at++) {
            if (stands_at(words + at, num_words - at, suspects[i].words) ||
                is_run_together(&words[at], suspects[i].words)) {
                return &suspects[i];
            }
        }
    }
    return NULL;
}
