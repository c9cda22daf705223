/* Makes writes, truncations, syncs and opens of one database fail: preloaded by LD_PRELOAD (see preload.py). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, OPEN = 4 };
enum { DATABASE = 1, WAL = 2, JOURNAL = 4, INDEX = 8, SIDE = 16 };

static char database[4096];
static size_t length;
static int kinds, files, error_number, for_ever;
static long first;
static atomic_int armed;
static atomic_long seen, failed, room = -1;

/* Fail the `n`-th of the chosen calls on the chosen files, or with `ever` that one and all after it; n = 0: only count. */
void faults_arm(const char *path, int of_kinds, int of_files, long n, int error, int ever) {
    atomic_store(&armed, 0);
    snprintf(database, sizeof database, "%s", path);
    length = strlen(database);
    kinds = of_kinds, files = of_files, first = n, error_number = error, for_ever = ever;
    atomic_store(&seen, 0);
    atomic_store(&failed, 0);
    atomic_store(&armed, 1);
}

/* No file may grow beyond so many bytes, as on a full disk; -1: no bound. */
void faults_room(long bytes) { atomic_store(&room, bytes); }

void faults_disarm(void) { atomic_store(&armed, 0); }
long faults_seen(void) { return atomic_load(&seen); }
long faults_failed(void) { return atomic_load(&failed); }

static int file_of(const char *path) {
    if (!path || strncmp(path, database, length) != 0) return 0;
    if (!path[length]) return DATABASE;
    if (!strcmp(path + length, "-wal")) return WAL;
    if (!strcmp(path + length, "-journal")) return JOURNAL;
    if (!strcmp(path + length, "-shm")) return INDEX;
    return strcmp(path + length, "-adsq") ? 0 : SIDE;
}

static int fails(int kind, int file) {
    if (!(kinds & kind) || !(files & file)) return 0;
    long number = atomic_fetch_add(&seen, 1) + 1;
    if (!first || (for_ever ? number < first : number != first)) return 0;
    atomic_fetch_add(&failed, 1);
    errno = error_number;
    return 1;
}

static int descriptor_fails(int kind, int descriptor, off64_t end) {
    if (!atomic_load(&armed)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    int file = file_of(path);
    long most = atomic_load(&room);
    if (file && most >= 0 && end > most) {
        atomic_fetch_add(&failed, 1);
        errno = ENOSPC;
        return 1;
    }
    return fails(kind, file);
}

#define NEXT(name, type) __typeof__(type) *next = (__typeof__(type) *)dlsym(RTLD_NEXT, name)

ssize_t write(int descriptor, const void *data, size_t size) {
    NEXT("write", ssize_t (int, const void *, size_t));
    return descriptor_fails(WRITE, descriptor, 0) ? -1 : next(descriptor, data, size);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t at) {
    NEXT("pwrite", ssize_t (int, const void *, size_t, off_t));
    return descriptor_fails(WRITE, descriptor, at + (off_t)size) ? -1 : next(descriptor, data, size, at);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t at) {
    NEXT("pwrite64", ssize_t (int, const void *, size_t, off64_t));
    return descriptor_fails(WRITE, descriptor, at + (off64_t)size) ? -1 : next(descriptor, data, size, at);
}

int ftruncate(int descriptor, off_t size) {
    NEXT("ftruncate", int (int, off_t));
    return descriptor_fails(WRITE, descriptor, size) ? -1 : next(descriptor, size);
}

int ftruncate64(int descriptor, off64_t size) {
    NEXT("ftruncate64", int (int, off64_t));
    return descriptor_fails(WRITE, descriptor, size) ? -1 : next(descriptor, size);
}

int fsync(int descriptor) {
    NEXT("fsync", int (int));
    return descriptor_fails(SYNC, descriptor, 0) ? -1 : next(descriptor);
}

int fdatasync(int descriptor) {
    NEXT("fdatasync", int (int));
    return descriptor_fails(SYNC, descriptor, 0) ? -1 : next(descriptor);
}

static int opened(const char *name, const char *path, int flags, int mode) {
    NEXT(name, int (const char *, int, ...));
    if (atomic_load(&armed) && fails(OPEN, file_of(path))) return -1;
    return next(path, flags, mode);
}

#define OPENS(name)                                       \
    int name(const char *path, int flags, ...) {          \
        va_list arguments;                                \
        va_start(arguments, flags);                       \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, int) : 0; \
        va_end(arguments);                                \
        return opened(#name, path, flags, mode);          \
    }

OPENS(open)
OPENS(open64)
