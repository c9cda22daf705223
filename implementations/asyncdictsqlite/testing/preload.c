/* Counts the calls of a process that sync a file or lock a byte of one: preloaded by LD_PRELOAD (see preload.py). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_long syncs, wal_syncs, locks;

long adsq_syncs(void) { return atomic_load(&syncs); }
long adsq_wal_syncs(void) { return atomic_load(&wal_syncs); }
long adsq_locks(void) { return atomic_load(&locks); }

static int is_wal(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path);
    return length >= 4 && memcmp(path + length - 4, "-wal", 4) == 0;
}

/* Counted once the sync has returned: what it covers is then durable. */
static int counted(int descriptor, int (*sync)(int)) {
    int result = sync(descriptor);
    if (result == 0) {
        atomic_fetch_add(&syncs, 1);
        if (is_wal(descriptor)) atomic_fetch_add(&wal_syncs, 1);
    }
    return result;
}

int fsync(int descriptor) {
    return counted(descriptor, (int (*)(int))dlsym(RTLD_NEXT, "fsync"));
}

int fdatasync(int descriptor) {
    return counted(descriptor, (int (*)(int))dlsym(RTLD_NEXT, "fdatasync"));
}

static int locked(const char *name, int descriptor, int command, void *argument) {
    int (*next)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, name);
    if (command == F_SETLK || command == F_SETLKW) atomic_fetch_add(&locks, 1);
    return next(descriptor, command, argument);
}

int fcntl(int descriptor, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return locked("fcntl", descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return locked("fcntl64", descriptor, command, argument);
}
