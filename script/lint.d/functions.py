#!/usr/bin/env python3
"""Functions of the C library that the project does without, and what to use instead."""

import re

import tree

BANNED = {
    "strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets": "tg_buf, or snprintf into a sized array",
    "strtok strtok_r strsep": "tg_slice_split",
    "atoi atol atoll atof strtol strtoll strtoul strtoull strtod strtof sscanf fscanf scanf": "tg_num_parse_u64 (digits only, whole slice)",
    "tolower toupper isalpha isdigit isalnum isspace isupper islower isxdigit isprint strcasecmp strncasecmp": "base/text.h: the C ones follow the locale",
    "strftime ctime ctime_r asctime gmtime localtime localtime_r mktime time gettimeofday clock_gettime": "sys/clock.h",
    "strerror perror": "tg_log_error_text",
    "alloca": "the arena: the stack has no limit that can be tested",
    "system popen": "no shell is ever started",
    "rand srand random srandom rand_r drand48": "getrandom, tg_secret_random",
    "mktemp tmpnam tempnam": "mkstemp in a folder of ours",
    "setlocale": "the C locale everywhere",
    "getaddrinfo gethostbyname inet_addr inet_aton inet_ntoa": "io/ resolves and prints addresses",
    "bzero": "memset, or tg_wipe for secrets",
    "setenv putenv": "settings/ is read once",
}
remedies = {name: remedy for names, remedy in BANNED.items() for name in names.split()}
pattern = re.compile(r"(?<![\w.>])(" + "|".join(remedies) + r")\s*\(")

findings = tree.Findings()
allowed = tree.exceptions("functions")
for path in tree.files("*.c", "*.h", under=("src", "fuzz")):
    code = tree.code_of(tree.text_of(path))
    for match in pattern.finditer(code):
        name = match.group(1)
        if (path, name) not in allowed:
            findings.add(path, tree.line_at(code, match.start()), f"{name} is not used here: {remedies[name]}")
findings.end()
