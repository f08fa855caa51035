#include "gateway/field_step.h"

/* Bytes of work in one turn of the loop: some 100 us. */
enum { TURN_BYTES = 65536, MAX_ARENA_BYTES = 4 << 20 };

tg_result tg_field_step_begin(tg_field_step *step, const tg_rewrite_options *options, tg_slice body)
{
    *step = (tg_field_step){0};
    tg_arena_init(&step->arena, MAX_ARENA_BYTES, true);
    return tg_rewrite_new(&step->arena, options, body, &step->rewrite);
}

tg_result tg_field_step_run(tg_field_step *step, tg_field_keys *keys, tg_hold *hold, tg_buf *out)
{
    if (!step->is_planned) {
        TG_TRY(tg_rewrite_plan(step->rewrite, TURN_BYTES));
        if (!tg_hold_set(hold, tg_rewrite_output_max(step->rewrite) + step->arena.used)) {
            return tg_fail(TG_ERR_LIMIT);
        }
        step->is_planned = true;
    }
    return tg_rewrite_apply(step->rewrite, keys, TURN_BYTES, out);
}

void tg_field_step_done(tg_field_step *step)
{
    tg_arena_done(&step->arena);
    *step = (tg_field_step){0};
}
