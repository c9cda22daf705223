/* The trace, and which files are in it: what the calls of recorder.c need. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 'C', WRITE = 'W', TRUNCATE = 'T', RENAME = 'R', UNLINK = 'U', SYNC = 's', SYNCED = 'e', NOTE = 'N' };
enum what { IGNORED, REGULAR, FOLDER };

struct record { /* trace.py reads it */
    uint64_t kind, file, at, time_ns, length;
};

struct known {
    ino_t file;
    enum what what;
};

#define KNOWN_MOST 1024
static struct known known[KNOWN_MOST];
static int known_count;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static pid_t owner;
static dev_t device;
static char root[PATH_MAX];
static size_t root_length;
static long sync_us;
static uint64_t syncs;

/* ---- the trace: the lock is held ------------------------------------------------------------------------------ */

static void append(int kind, ino_t file, uint64_t at, const void *data, size_t length) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct record record = {(uint64_t)kind, file, at, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, length};
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)data, length}};
    if (syscall(SYS_writev, trace, parts, length ? 2 : 1) != (ssize_t)(sizeof record + length)) {
        static const char text[] = "powercut: the trace cannot be written\n";
        syscall(SYS_write, 2, text, sizeof text - 1);
        _exit(70);
    }
}

static struct known *find(ino_t file) {
    for (int at = 0; at < __atomic_load_n(&known_count, __ATOMIC_ACQUIRE); at++)
        if (known[at].file == file) return &known[at];
    return NULL;
}

static void set(ino_t file, enum what what) {
    struct known *found = find(file);
    if (found) {
        found->what = what;
    } else if (known_count < KNOWN_MOST) {
        known[known_count] = (struct known){file, what};
        __atomic_store_n(&known_count, known_count + 1, __ATOMIC_RELEASE);
    } else {
        append(NOTE, 0, 0, "too many files", 14);
    }
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("POWERCUT_TRACE"), *folder = getenv("POWERCUT_ROOT"), *slow = getenv("POWERCUT_SYNC_US");
    struct stat status;
    if (!path || !folder || !realpath(folder, root) || stat(root, &status) != 0) return;
    root_length = strlen(root);
    device = status.st_dev;
    owner = getpid();
    sync_us = slow ? atol(slow) : 0;
    trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace >= 0) set(status.st_ino, FOLDER);
    unsetenv("POWERCUT_TRACE"); /* what this process starts is not recorded */
}

static int active(void) { return trace >= 0 && getpid() == owner; }

static enum what status_of(int descriptor, struct stat *status) {
    if (!active() || fstat(descriptor, status) != 0 || status->st_dev != device) return IGNORED;
    struct known *found = find(status->st_ino);
    return found ? found->what : IGNORED;
}

/* What is recorded of this descriptor's file, or 0. */
static ino_t regular(int descriptor) {
    struct stat status;
    return status_of(descriptor, &status) == REGULAR ? status.st_ino : 0;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

/* The path below the root, or NULL if it is elsewhere; "" is the root. */
static const char *below(const char *path) {
    if (strncmp(path, root, root_length) != 0) return NULL;
    if (path[root_length] == '\0') return path + root_length;
    return path[root_length] == '/' ? path + root_length + 1 : NULL;
}

/* The canonical path of a name whose folder exists; the name itself may not. */
static const char *named(int folder, const char *path, char result[PATH_MAX]) {
    char whole[2 * PATH_MAX], parent[PATH_MAX];
    if (path[0] != '/' && folder != AT_FDCWD) {
        char link[64], base[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return NULL;
        base[length] = '\0';
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    } else {
        snprintf(whole, sizeof whole, "%s", path);
    }
    char *slash = strrchr(whole, '/');
    const char *last = slash ? slash + 1 : whole;
    if (slash == whole || !realpath(slash ? (*slash = '\0', whole) : ".", parent)) return NULL;
    if (snprintf(result, PATH_MAX, "%s/%s", parent, last) >= PATH_MAX) return NULL;
    return below(result);
}

static int is_shared_memory(const char *path) {
    size_t length = strlen(path);
    return length >= 4 && strcmp(path + length - 4, "-shm") == 0;
}
