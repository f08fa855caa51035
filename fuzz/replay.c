/* Replays a corpus folder through a fuzz target, for builds without libFuzzer: each file once, whole. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return -1;
    }
    size_t cap = (size_t)1 << 20;
    uint8_t *bytes = malloc(cap);
    size_t len = 0;
    for (size_t got; bytes != NULL && (got = fread(bytes + len, 1, cap - len, file)) > 0;) {
        len += got;
        if (len == cap) {
            uint8_t *bigger = realloc(bytes, cap * 2);
            if (bigger == NULL) {
                break;
            }
            bytes = bigger;
            cap *= 2;
        }
    }
    fclose(file);
    if (bytes == NULL) {
        return -1;
    }
    uint8_t *exact = malloc(len > 0 ? len : 1); /* an exact block, so that a read past the end is seen */
    if (exact != NULL) {
        memcpy(exact, bytes, len);
        LLVMFuzzerTestOneInput(exact, len);
    }
    free(exact);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    size_t num_files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (dir == NULL) {
            fprintf(stderr, "replay: cannot open the corpus folder %s\n", argv[i]);
            return 1;
        }
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            char path[4096];
            if (entry->d_name[0] == '.') {
                continue;
            }
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (replay_file(path) != 0) {
                fprintf(stderr, "replay: cannot read %s\n", path);
                return 1;
            }
            num_files++;
        }
        closedir(dir);
    }
    printf("replayed %zu inputs\n", num_files);
    return num_files > 0 ? 0 : 1;
}
