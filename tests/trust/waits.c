/* Counts what a thread waits for while it is watched: preloaded by LD_PRELOAD (see waits.py). Not seen is what the C
   library waits for by itself: its allocator, for the moment that another thread needs in the same arena. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static __thread int watched;
static __thread long locks, disk, sleeps;

void waits_watch(int on) { watched = on; }
long waits_locks(void) { return locks; }
long waits_disk(void) { return disk; }
long waits_sleeps(void) { return sleeps; }

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    REAL(pthread_mutex_lock);
    if (watched) {
        if (pthread_mutex_trylock(mutex) == 0) return 0;
        locks++;
    }
    return real(mutex);
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    REAL(pthread_cond_wait);
    locks += watched;
    return real(condition, mutex);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    REAL(pthread_cond_timedwait);
    locks += watched;
    return real(condition, mutex, until);
}

/* What Rust's locks and sleeping threads wait by. */
long syscall(long number, ...) {
    static long (*real)(long, long, long, long, long, long, long);
    if (!real) real = (long (*)(long, long, long, long, long, long, long))dlsym(RTLD_NEXT, "syscall");
    va_list list;
    va_start(list, number);
    long given[6];
    for (int at = 0; at < 6; at++) given[at] = va_arg(list, long);
    va_end(list);
    int operation = (int)given[1] & FUTEX_CMD_MASK;
    locks += watched && number == SYS_futex && (operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET);
    return real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

ssize_t pread64(int descriptor, void *buffer, size_t size, off64_t offset) {
    REAL(pread64);
    disk += watched;
    return real(descriptor, buffer, size, offset);
}

int fdatasync(int descriptor) {
    REAL(fdatasync);
    disk += watched;
    return real(descriptor);
}

int fsync(int descriptor) {
    REAL(fsync);
    disk += watched;
    return real(descriptor);
}

int usleep(useconds_t microseconds) {
    REAL(usleep);
    sleeps += watched;
    return real(microseconds);
}

int nanosleep(const struct timespec *asked, struct timespec *left) {
    REAL(nanosleep);
    sleeps += watched;
    return real(asked, left);
}
