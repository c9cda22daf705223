/* Counts the calls by which a process waits for its disk: preloaded into worker processes, asked by ctypes there.
   A process that a worker starts counts in memory that the worker maps, too, if HARNESS_SYNCS names it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long own[4];
static atomic_long *counts = own;

__attribute__((constructor)) static void share(void) {
    const char *path = getenv("HARNESS_SYNCS");
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0) return;
    void *shared = mmap(NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (shared != MAP_FAILED) counts = shared;
}

/* In this order: fsync, fdatasync, sync_file_range, msync. */
long harness_syncs(int call) { return atomic_load(&counts[call]); }

static void *next(int call, const char *name) {
    atomic_fetch_add(&counts[call], 1);
    return dlsym(RTLD_NEXT, name);
}

int fsync(int descriptor) { return ((int (*)(int))next(0, "fsync"))(descriptor); }

int fdatasync(int descriptor) { return ((int (*)(int))next(1, "fdatasync"))(descriptor); }

int sync_file_range(int descriptor, off64_t offset, off64_t length, unsigned int flags) {
    return ((int (*)(int, off64_t, off64_t, unsigned int))next(2, "sync_file_range"))(descriptor, offset, length, flags);
}

int msync(void *address, size_t length, int flags) {
    return ((int (*)(void *, size_t, int))next(3, "msync"))(address, length, flags);
}
