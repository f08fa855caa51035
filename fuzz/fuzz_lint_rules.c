// room: tool
/* What lint reads of a schema's own text: patterns, whose size it estimates, and names, which it takes to words. */
#include "tool/domain.h"
#include "tool/suspects.h"

#include <assert.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double count = tg_domain_of_pattern(tg_slice_of(data, size));
    assert(count >= 0 && !isnan(count));
    const tg_suspect *suspect = tg_suspect_find(tg_slice_of(data, size));
    assert(suspect == NULL || suspect->words[0] != 0);
    return 0;
}
