/* Counts writes to regular files: preloaded into workers that count, asked by ctypes there. How often threads wake each
 * other through a pipe or an eventfd differs from run to run; what they write to files does not. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

static atomic_long calls, bytes;

/* 0: calls, 1: bytes. */
long harness_file_writes(int which) { return atomic_load(which ? &bytes : &calls); }

static ssize_t counted(int descriptor, ssize_t written) {
    struct stat found;
    if (written >= 0 && fstat(descriptor, &found) == 0 && S_ISREG(found.st_mode)) {
        atomic_fetch_add(&calls, 1);
        atomic_fetch_add(&bytes, written);
    }
    return written;
}

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

ssize_t write(int descriptor, const void *from, size_t size) {
    return counted(descriptor, NEXT("write", ssize_t(*)(int, const void *, size_t))(descriptor, from, size));
}

ssize_t pwrite(int descriptor, const void *from, size_t size, off_t at) {
    return counted(descriptor, NEXT("pwrite", ssize_t(*)(int, const void *, size_t, off_t))(descriptor, from, size, at));
}

ssize_t pwrite64(int descriptor, const void *from, size_t size, off64_t at) {
    return counted(descriptor, NEXT("pwrite64", ssize_t(*)(int, const void *, size_t, off64_t))(descriptor, from, size, at));
}

ssize_t writev(int descriptor, const struct iovec *from, int count) {
    return counted(descriptor, NEXT("writev", ssize_t(*)(int, const struct iovec *, int))(descriptor, from, count));
}
