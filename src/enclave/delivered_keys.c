#include "enclave/delivered_keys.h"

static tg_slice value_of(const tg_secrets *secrets, const char *name)
{
    const tg_secret *value = tg_secrets_value(secrets, name);
    return value != NULL ? tg_slice_of(tg_secret_bytes(value), tg_secret_len(value)) : (tg_slice){NULL, 0};
}

static tg_result get(void *owner, tg_aws_key_set **out_set)
{
    tg_snapshot *snapshot = tg_publisher_current(owner);
    const tg_secrets *secrets = tg_snapshot_secrets(snapshot);
    tg_result result = tg_ok();
    if (secrets != NULL && tg_secrets_value(secrets, TG_SECRET_AWS_KEY_ID) != NULL) {
        const tg_aws_keys keys = {.access_key_id = value_of(secrets, TG_SECRET_AWS_KEY_ID),
                                  .secret_access_key = value_of(secrets, TG_SECRET_AWS_KEY),
                                  .session_token = value_of(secrets, TG_SECRET_AWS_TOKEN)};
        result = tg_aws_key_set_new(&keys, 0, out_set);
    }
    tg_snapshot_unref(snapshot);
    return result;
}

static uint64_t version(void *owner)
{
    tg_snapshot *snapshot = tg_publisher_current(owner);
    const tg_secrets *secrets = tg_snapshot_secrets(snapshot);
    uint64_t found = secrets != NULL ? tg_secrets_value_version(secrets, TG_SECRET_AWS_KEY_ID) : 0;
    tg_snapshot_unref(snapshot);
    return found;
}

tg_aws_key_source tg_delivered_keys(tg_publisher *publisher)
{
    return (tg_aws_key_source){.get = get, .version = version, .owner = publisher};
}
