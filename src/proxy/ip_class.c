#include "proxy/ip_class.h"

#include "base/num.h"

#include <arpa/inet.h>

enum { IPV4_BYTES = 4, IPV6_BYTES = 16 };

typedef struct class_block {
    tg_cidr cidr;
    tg_ip_class class;
} class_block;

/* The first block that holds an address decides: the narrow ones stand before the wide ones around them. */
static const class_block ipv4_blocks[] = {
    {{{169, 254, 169, 254}, 4, 32}, TG_IP_METADATA},  /* EC2, Azure, Google Cloud and others */
    {{{169, 254, 170, 2}, 4, 32}, TG_IP_METADATA},    /* ECS: credentials of a task */
    {{{169, 254, 170, 23}, 4, 32}, TG_IP_METADATA},   /* EKS: pod identity */
    {{{168, 63, 129, 16}, 4, 32}, TG_IP_METADATA},    /* Azure: the platform's own host */
    {{{100, 100, 100, 200}, 4, 32}, TG_IP_METADATA},  /* Alibaba Cloud */
    {{{192, 0, 0, 192}, 4, 32}, TG_IP_METADATA},      /* Oracle Cloud */
    {{{255, 255, 255, 255}, 4, 32}, TG_IP_BROADCAST}, /* RFC 919 */
    {{{0}, 4, 8}, TG_IP_UNSPECIFIED},                 /* RFC 791 §3.2 */
    {{{10}, 4, 8}, TG_IP_PRIVATE},                    /* RFC 1918 */
    {{{100, 64}, 4, 10}, TG_IP_SHARED},               /* RFC 6598 */
    {{{127}, 4, 8}, TG_IP_LOOPBACK},                  /* RFC 1122 §3.2.1.3 */
    {{{169, 254}, 4, 16}, TG_IP_LINK_LOCAL},          /* RFC 3927 */
    {{{172, 16}, 4, 12}, TG_IP_PRIVATE},
    {{{192, 0, 0}, 4, 24}, TG_IP_RESERVED},      /* RFC 6890 §2.1 */
    {{{192, 0, 2}, 4, 24}, TG_IP_DOCUMENTATION}, /* RFC 5737 */
    {{{192, 88, 99}, 4, 24}, TG_IP_TRANSLATED},  /* RFC 7526: relays of 6to4 */
    {{{192, 168}, 4, 16}, TG_IP_PRIVATE},
    {{{198, 18}, 4, 15}, TG_IP_BENCHMARK},          /* RFC 2544 */
    {{{198, 51, 100}, 4, 24}, TG_IP_DOCUMENTATION}, /* RFC 5737 */
    {{{203, 0, 113}, 4, 24}, TG_IP_DOCUMENTATION},
    {{{224}, 4, 4}, TG_IP_MULTICAST}, /* RFC 5771 */
    {{{240}, 4, 4}, TG_IP_RESERVED},  /* RFC 1112 §4 */
};

static const class_block ipv6_blocks[] = {
    {{{0xfd, 0, 0x0e, 0xc2, [15] = 0x23}, 16, 128}, TG_IP_METADATA},       /* fd00:ec2::23, EKS: pod identity */
    {{{0xfd, 0, 0x0e, 0xc2}, 16, 32}, TG_IP_METADATA},                     /* fd00:ec2::/32: EC2's own services */
    {{{0xfd, 0x20, 0, 0xce, [14] = 0x02, 0x54}, 16, 128}, TG_IP_METADATA}, /* fd20:ce::254: Google Cloud */
    {{{[15] = 1}, 16, 128}, TG_IP_LOOPBACK},                               /* RFC 4291 §2.5.3 */
    {{{0}, 16, 128}, TG_IP_UNSPECIFIED},
    {{{0}, 16, 96}, TG_IP_TRANSLATED},                         /* RFC 4291 §2.5.5.1: compatible */
    {{{[10] = 0xff, [11] = 0xff}, 16, 96}, TG_IP_TRANSLATED},  /* §2.5.5.2: mapped */
    {{{[8] = 0xff, [9] = 0xff}, 16, 96}, TG_IP_TRANSLATED},    /* RFC 2765 §2.1: SIIT */
    {{{0, 0x64, 0xff, 0x9b}, 16, 96}, TG_IP_TRANSLATED},       /* RFC 6052: NAT64 */
    {{{0, 0x64, 0xff, 0x9b, 0, 1}, 16, 48}, TG_IP_TRANSLATED}, /* RFC 8215: NAT64 for local use */
    {{{0x20, 0x01}, 16, 32}, TG_IP_TRANSLATED},                /* RFC 4380: Teredo */
    {{{0x20, 0x01, 0, 2}, 16, 48}, TG_IP_BENCHMARK},           /* RFC 5180 */
    {{{0x20, 0x01}, 16, 23}, TG_IP_RESERVED},                  /* RFC 2928, with ORCHID */
    {{{0x20, 0x01, 0x0d, 0xb8}, 16, 32}, TG_IP_DOCUMENTATION}, /* RFC 3849 */
    {{{0x20, 0x02}, 16, 16}, TG_IP_TRANSLATED},                /* RFC 3056: 6to4 */
    {{{0x3f, 0xff}, 16, 20}, TG_IP_DOCUMENTATION},             /* RFC 9637 */
    {{{0xfc}, 16, 7}, TG_IP_PRIVATE},                          /* RFC 4193 */
    {{{0xfe, 0x80}, 16, 10}, TG_IP_LINK_LOCAL},                /* RFC 4291 §2.5.6 */
    {{{0xfe, 0xc0}, 16, 10}, TG_IP_PRIVATE},                   /* RFC 3879 */
    {{{0xff}, 16, 8}, TG_IP_MULTICAST},
    {{{0x20}, 16, 3}, TG_IP_PUBLIC}, /* the only global unicast there is (IANA) */
};

bool tg_cidr_holds(const tg_cidr *cidr, tg_slice address)
{
    size_t num_whole = cidr->num_bits / 8;
    unsigned num_rest = cidr->num_bits % 8;
    if (address.len != cidr->len || memcmp(address.ptr, cidr->bytes, num_whole) != 0) {
        return false;
    }
    return num_rest == 0 || ((address.ptr[num_whole] ^ cidr->bytes[num_whole]) >> (8 - num_rest)) == 0;
}

tg_ip_class tg_ip_class_of(tg_slice address)
{
    const class_block *blocks = address.len == IPV4_BYTES ? ipv4_blocks : ipv6_blocks;
    size_t num_blocks = address.len == IPV4_BYTES ? TG_COUNT(ipv4_blocks) : TG_COUNT(ipv6_blocks);
    for (size_t i = 0; i < num_blocks; i++) {
        if (tg_cidr_holds(&blocks[i].cidr, address)) {
            return blocks[i].class;
        }
    }
    return address.len == IPV4_BYTES ? TG_IP_PUBLIC : TG_IP_RESERVED;
}

const char *tg_ip_class_name(tg_ip_class class)
{
    static const char *const names[TG_NUM_IP_CLASSES] = {
        [TG_IP_PUBLIC] = "public",
        [TG_IP_UNSPECIFIED] = "unspecified",
        [TG_IP_LOOPBACK] = "loopback",
        [TG_IP_LINK_LOCAL] = "link_local",
        [TG_IP_METADATA] = "metadata",
        [TG_IP_PRIVATE] = "private",
        [TG_IP_SHARED] = "shared",
        [TG_IP_BENCHMARK] = "benchmark",
        [TG_IP_DOCUMENTATION] = "documentation",
        [TG_IP_MULTICAST] = "multicast",
        [TG_IP_BROADCAST] = "broadcast",
        [TG_IP_TRANSLATED] = "translated",
        [TG_IP_RESERVED] = "reserved",
        [TG_IP_OWN] = "own",
    };
    return (unsigned)class < TG_NUM_IP_CLASSES ? names[class] : "unknown";
}

tg_result tg_ip_parse(tg_slice text, uint8_t out_bytes[16], size_t *out_len)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[IPV6_BYTES];
    if (text.len == 0 || text.len >= sizeof copy || tg_slice_find(text, 0) < text.len) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    bool is_ipv6 = tg_slice_find(text, ':') < text.len;
    if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, copy, bytes) != 1) {
        return tg_fail(TG_ERR_SYNTAX);
    }
    *out_len = is_ipv6 ? IPV6_BYTES : IPV4_BYTES;
    memcpy(out_bytes, bytes, *out_len);
    return tg_ok();
}

tg_result tg_cidr_parse(tg_slice text, tg_cidr *out_cidr)
{
    tg_slice rest = text;
    tg_slice address = tg_slice_split(&rest, '/');
    tg_cidr cidr = {.len = 0};
    size_t len;
    TG_TRY(tg_ip_parse(address, cidr.bytes, &len));
    uint64_t num_bits = len * 8;
    if (rest.ptr != NULL) {
        TG_TRY(tg_num_parse_u64(rest, len * 8, &num_bits));
    }
    cidr.len = (uint8_t)len;
    cidr.num_bits = (uint8_t)num_bits;
    for (size_t bit = num_bits; bit < len * 8; bit++) {
        if ((cidr.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
            return tg_fail(TG_ERR_MISMATCH);
        }
    }
    *out_cidr = cidr;
    return tg_ok();
}
