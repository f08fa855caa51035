/* The parts of the configuration that proxy/config.h puts together, a function for each. They report what is wrong to
 * the node's reader and leave the configuration without it. */
#ifndef TG_PROXY_CONFIG_PARTS_H
#define TG_PROXY_CONFIG_PARTS_H

#include "proxy/config.h"
#include "settings/config_node.h"

/* tg_config_address is a getter as those of settings/config_node.h. */
bool tg_config_address(const tg_config_node *node, tg_address *out_address);

/* tg_config_read_domains reads `domains`; `environment` gives the KMS keys that it leaves out. */
void tg_config_read_domains(const tg_config_node *domains, const char *const *environment, tg_proxy_config *config);

/* tg_config_read_egress reads a list of rules, or {"allowlist": PATH}. */
void tg_config_read_egress(const tg_config_node *egress, tg_egress_rules *out_rules);

/* tg_config_read_listeners sets the listeners of every service from `listen` and `ports`, either of which may be absent
 * (NULL). Services that nothing names get their default where there are domains.
 */
void tg_config_read_listeners(tg_config_reader *reader, const tg_config_node *listen, const tg_config_node *ports,
                              tg_proxy_config *config);
/* tg_config_read_listener reads an address, or {"address", "accept_proxy", "send_proxy"}. */
bool tg_config_read_listener(const tg_config_node *node, tg_proxy_listener *out_listener);

/* tg_config_read_forwards reads `forwards` and puts those of aws.forwards (base_port, 0: none) behind them. */
void tg_config_read_forwards(tg_config_reader *reader, const tg_config_node *forwards, uint64_t base_port,
                             tg_proxy_config *config);

/* tg_config_read_limits and tg_config_read_timeouts set the defaults, then what the node (NULL: nothing) says.
 * err   TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_config_read_limits(const tg_config_node *node, tg_proxy_limits *out_limits);
TG_MUST_USE tg_result tg_config_read_timeouts(const tg_config_node *node, tg_proxy_timeouts *out_timeouts);

/* tg_config_append_limits and tg_config_append_timeouts write them as JSON objects. */
TG_MUST_USE tg_result tg_config_append_limits(const tg_proxy_limits *limits, tg_buf *buf);
TG_MUST_USE tg_result tg_config_append_timeouts(const tg_proxy_timeouts *timeouts, tg_buf *buf);

/* tg_config_append_limits_help writes one line for each limit and timeout: name, default, range, effect. */
TG_MUST_USE tg_result tg_config_append_limits_help(tg_buf *buf);

#endif
