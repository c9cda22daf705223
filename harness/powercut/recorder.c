/* Records what a process does to the files of one folder, in order: preloaded by LD_PRELOAD (see preload.py).

   One lock is held round each call together with its record, so the order of the trace is an order that really was.
   A sync is two records, its start and its end: once it has ended, what came before its start is on the disk.
   The -shm file of SQLite is shared memory, not durable state: it is left out. What the recorder cannot follow
   (stdio, shared mappings for writing, copies inside the kernel) becomes a note, and the replay refuses the trace. */

#define _GNU_SOURCE
#include "trace.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/mman.h>

#define REAL(result, name, ...)                                                        \
    static result (*real_##name)(__VA_ARGS__);                                         \
    if (!real_##name) real_##name = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* ---- opening -------------------------------------------------------------------------------------------------- */

static void opened(int descriptor, const char *name, int existed, int flags) {
    struct stat status;
    if (fstat(descriptor, &status) != 0 || status.st_dev != device) return;
    if (!name || is_shared_memory(name)) {
        if (find(status.st_ino)) set(status.st_ino, IGNORED); /* the number of a file that is gone */
        return;
    }
    if (S_ISDIR(status.st_mode)) {
        set(status.st_ino, FOLDER);
        return;
    }
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (!existed) append(CREATE, status.st_ino, 0, name, strlen(name));
    set(status.st_ino, REGULAR);
    if (existed && writes && (flags & O_TRUNC)) append(TRUNCATE, status.st_ino, 0, NULL, 0);
    if (writes && (flags & (O_DSYNC | O_DIRECT))) append(NOTE, status.st_ino, 0, "O_SYNC or O_DIRECT", 18);
}

static int exists(const char *canonical) {
    struct stat status;
    return lstat(canonical, &status) == 0;
}

typedef int (*open_at)(int, const char *, int, ...);

static int open_recorded(open_at real, int folder, const char *path, int flags, mode_t mode) {
    if (!active()) return real(folder, path, flags, mode);
    char canonical[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = named(folder, path, canonical);
    int existed = !name || exists(canonical);
    int descriptor = real(folder, path, flags, mode);
    int error = errno;
    if (descriptor >= 0) opened(descriptor, name, existed, flags);
    pthread_mutex_unlock(&lock);
    errno = error;
    return descriptor;
}

static mode_t mode_of(int flags, va_list rest) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                                                     \
    int name(const char *path, int flags, ...) {                                       \
        va_list rest;                                                                  \
        va_start(rest, flags);                                                         \
        mode_t mode = mode_of(flags, rest);                                            \
        va_end(rest);                                                                  \
        REAL(int, openat, int, const char *, int, ...);                                \
        return open_recorded(real_openat, AT_FDCWD, path, flags, mode);                \
    }
#define OPENAT(name)                                                                   \
    int name(int folder, const char *path, int flags, ...) {                           \
        va_list rest;                                                                  \
        va_start(rest, flags);                                                         \
        mode_t mode = mode_of(flags, rest);                                            \
        va_end(rest);                                                                  \
        REAL(int, openat, int, const char *, int, ...);                                \
        return open_recorded(real_openat, folder, path, flags, mode);                  \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open(path, flags); }
int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static void note(const char *path, const char *what) {
    char canonical[PATH_MAX];
    if (!active()) return;
    pthread_mutex_lock(&lock);
    if (named(AT_FDCWD, path, canonical)) append(NOTE, 0, 0, what, strlen(what));
    pthread_mutex_unlock(&lock);
}

#define FOPEN(name)                                                                    \
    FILE *name(const char *path, const char *mode) {                                   \
        REAL(FILE *, name, const char *, const char *);                                \
        if (strpbrk(mode, "wa+")) note(path, "fopen");                                 \
        return real_##name(path, mode);                                                \
    }
FOPEN(fopen)
FOPEN(fopen64)

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    note(path, "mkdir");
    return real_mkdir(path, mode);
}

int link(const char *from, const char *to) {
    REAL(int, link, const char *, const char *);
    note(to, "link");
    return real_link(from, to);
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

static void wrote(ino_t file, off64_t at, const struct iovec *parts, int count, ssize_t length) {
    for (int part = 0; part < count && length > 0; part++) {
        size_t size = parts[part].iov_len < (size_t)length ? parts[part].iov_len : (size_t)length;
        if (size) append(WRITE, file, (uint64_t)at, parts[part].iov_base, size);
        at += (off64_t)size;
        length -= (ssize_t)size;
    }
}

/* Run a call that writes; `at` below 0: at the file's position, which it moves. */
#define WRITES(descriptor, parts, count, at, call)                                     \
    ino_t file = regular(descriptor);                                                  \
    if (!file) return call;                                                            \
    pthread_mutex_lock(&lock);                                                         \
    ssize_t written = call;                                                            \
    int error = errno;                                                                 \
    if (written > 0) wrote(file, at, parts, count, written);                           \
    pthread_mutex_unlock(&lock);                                                       \
    errno = error;                                                                     \
    return written

ssize_t write(int descriptor, const void *data, size_t length) {
    REAL(ssize_t, write, int, const void *, size_t);
    struct iovec part = {(void *)data, length};
    WRITES(descriptor, &part, 1, lseek64(descriptor, 0, SEEK_CUR) - written, real_write(descriptor, data, length));
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    WRITES(descriptor, parts, count, lseek64(descriptor, 0, SEEK_CUR) - written, real_writev(descriptor, parts, count));
}

#define PWRITE(name)                                                                   \
    ssize_t name(int descriptor, const void *data, size_t length, off64_t at) {        \
        REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);                   \
        struct iovec part = {(void *)data, length};                                    \
        WRITES(descriptor, &part, 1, at, real_pwrite64(descriptor, data, length, at)); \
    }
#define PWRITEV(name)                                                                  \
    ssize_t name(int descriptor, const struct iovec *parts, int count, off64_t at) {   \
        REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);             \
        WRITES(descriptor, parts, count, at, real_pwritev64(descriptor, parts, count, at)); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
PWRITEV(pwritev)
PWRITEV(pwritev64)

#define FTRUNCATE(name)                                                                \
    int name(int descriptor, off64_t size) {                                           \
        REAL(int, ftruncate64, int, off64_t);                                          \
        ino_t file = regular(descriptor);                                              \
        if (!file) return real_ftruncate64(descriptor, size);                          \
        pthread_mutex_lock(&lock);                                                     \
        int result = real_ftruncate64(descriptor, size);                               \
        int error = errno;                                                             \
        if (result == 0) append(TRUNCATE, file, (uint64_t)size, NULL, 0);              \
        pthread_mutex_unlock(&lock);                                                   \
        errno = error;                                                                 \
        return result;                                                                 \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

#define BY_PATH(name)                                                                  \
    int name(const char *path, off64_t size) {                                         \
        int descriptor = open(path, O_WRONLY | O_CLOEXEC);                             \
        if (descriptor < 0) return -1;                                                 \
        int result = ftruncate(descriptor, size);                                      \
        close(descriptor);                                                             \
        return result;                                                                 \
    }
BY_PATH(truncate)
BY_PATH(truncate64)

static void note_of(int descriptor, const char *what) {
    ino_t file = regular(descriptor);
    if (!file) return;
    pthread_mutex_lock(&lock);
    append(NOTE, file, 0, what, strlen(what));
    pthread_mutex_unlock(&lock);
}

#define FALLOCATE(name)                                                                \
    int name(int descriptor, off64_t at, off64_t length) {                             \
        REAL(int, name, int, off64_t, off64_t);                                        \
        note_of(descriptor, "posix_fallocate");                                        \
        return real_##name(descriptor, at, length);                                    \
    }
FALLOCATE(posix_fallocate)
FALLOCATE(posix_fallocate64)

int fallocate(int descriptor, int mode, off64_t at, off64_t length) {
    REAL(int, fallocate, int, int, off64_t, off64_t);
    note_of(descriptor, "fallocate");
    return real_fallocate(descriptor, mode, at, length);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
    REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    note_of(to, "copy_file_range");
    return real_copy_file_range(from, from_at, to, to_at, length, flags);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t length) {
    REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);
    note_of(to, "sendfile");
    return real_sendfile64(to, from, at, length);
}

#define MMAP(name)                                                                                       \
    void *name(void *address, size_t length, int protection, int flags, int descriptor, off64_t at) {    \
        REAL(void *, name, void *, size_t, int, int, int, off64_t);                                      \
        if (descriptor >= 0 && (protection & PROT_WRITE) && (flags & MAP_SHARED)) note_of(descriptor, "mmap for writing"); \
        return real_##name(address, length, protection, flags, descriptor, at);                          \
    }
MMAP(mmap)
MMAP(mmap64)

/* ---- names that change ---------------------------------------------------------------------------------------- */

typedef int (*unlink_at)(int, const char *, int);

static int unlink_recorded(unlink_at real, int folder, const char *path, int flags) {
    if (!active()) return real(folder, path, flags);
    char canonical[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = named(folder, path, canonical);
    int result = real(folder, path, flags);
    int error = errno;
    if (result == 0 && name && !is_shared_memory(name)) append(UNLINK, 0, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    return unlink_recorded(real_unlinkat, folder, path, flags);
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned);
    if (!active()) return real_renameat2(from_folder, from, to_folder, to, flags);
    char canonical[PATH_MAX], other[PATH_MAX], names[2 * PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *before = named(from_folder, from, canonical), *after = named(to_folder, to, other);
    int result = real_renameat2(from_folder, from, to_folder, to, flags);
    int error = errno;
    if (result == 0 && before && after && !flags) {
        size_t length = (size_t)snprintf(names, sizeof names, "%s%s", before, after);
        append(RENAME, 0, strlen(before), names, length);
    } else if (result == 0 && (before || after)) {
        append(NOTE, 0, 0, "rename across the root", 22);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return renameat2(from_folder, from, to_folder, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

/* ---- syncs and marks ------------------------------------------------------------------------------------------ */

static int sync_recorded(int descriptor, int (*real)(int)) {
    struct stat status;
    if (status_of(descriptor, &status) == IGNORED) return real(descriptor);
    pthread_mutex_lock(&lock);
    uint64_t number = ++syncs;
    append(SYNC, status.st_ino, number, NULL, 0);
    pthread_mutex_unlock(&lock);
    int result = real(descriptor);
    int error = errno;
    if (sync_us) usleep((useconds_t)sync_us);
    pthread_mutex_lock(&lock);
    if (result == 0) append(SYNCED, status.st_ino, number, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fsync(int descriptor) {
    REAL(int, fsync, int);
    return sync_recorded(descriptor, real_fsync);
}

int fdatasync(int descriptor) {
    REAL(int, fdatasync, int);
    return sync_recorded(descriptor, real_fdatasync);
}

/* Neither sync_file_range nor msync is a promise here: the first flushes no disk cache, the second syncs mappings. */

int powercut_recording(void) { return active(); }

/* The workload says what it does: `kind` is a letter, `number` the call. */
void powercut_mark(int kind, unsigned long number) {
    if (!active()) return;
    pthread_mutex_lock(&lock);
    append(kind, 0, number, NULL, 0);
    pthread_mutex_unlock(&lock);
}
