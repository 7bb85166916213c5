/* Between SQLite and the disk: writes down what it writes and syncs, and fails where a test wants it to.
 *
 * DISK_TRACE=FILE   every creation, write, truncation, sync and removal of adapter.db and its WAL, in order (see disk.py)
 * DISK_FAULTS=FILE  read at every call: "sync 5" makes syncs fail with EIO, "write 28" writes with ENOSPC
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static const char *base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The name of one of our files, or NULL. */
static const char *ours(const char *path) {
    const char *name = base(path);
    size_t length = strlen(name);
    if (strncmp(name, "adapter.db", 10) != 0) return NULL;
    if (length > 4 && (!strcmp(name + length - 4, "-shm") || !strcmp(name + length - 5, ".lock"))) return NULL;
    return name;
}

static const char *path_of(int fd, char *buffer, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, size - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

static void note(char kind, const char *name, uint64_t offset, const void *data, uint32_t length) {
    static int trace = -2;
    const char *file = getenv("DISK_TRACE");
    if (!file) return;
    pthread_mutex_lock(&mutex);
    if (trace == -2) trace = REAL(open64)(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct __attribute__((packed)) { char kind; uint8_t name; uint64_t offset; uint32_t length; } head = {
        kind, (uint8_t)strlen(name), offset, length};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)name, head.name}, {(void *)data, length}};
    if (writev(trace, parts, 3) < 0) abort();
    pthread_mutex_unlock(&mutex);
}

static int fault(const char *call) {
    const char *file = getenv("DISK_FAULTS");
    char text[64] = "", wanted[32];
    int number = 0, fd = file ? REAL(open64)(file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0 || sscanf(text, "%31s %d", wanted, &number) != 2 || strcmp(call, wanted)) return 0;
    errno = number;
    return 1;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char buffer[4096];
    const char *path = path_of(fd, buffer, sizeof buffer), *name = path ? ours(path) : NULL;
    if (!name) return REAL(pwrite64)(fd, data, length, offset);
    if (fault("write")) return -1;
    ssize_t written = REAL(pwrite64)(fd, data, length, offset);
    if (written > 0) note('W', name, (uint64_t)offset, data, (uint32_t)written);
    return written;
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    const char *name = flags & O_CREAT ? ours(path) : NULL;
    int is_new = name && access(path, F_OK);
    int fd = REAL(open64)(path, flags, mode);
    if (is_new && fd >= 0) note('C', name, 0, "", 0);
    return fd;
}

int ftruncate64(int fd, off64_t length) {
    char buffer[4096];
    const char *path = path_of(fd, buffer, sizeof buffer), *name = path ? ours(path) : NULL;
    int result = REAL(ftruncate64)(fd, length);
    if (name && !result) note('T', name, (uint64_t)length, "", 0);
    return result;
}

static int synced(int fd, int (*sync)(int)) {
    char buffer[4096];
    struct stat status;
    const char *path = path_of(fd, buffer, sizeof buffer), *name = path ? ours(path) : NULL;
    int folder = !fstat(fd, &status) && S_ISDIR(status.st_mode);
    if (!name && !folder) return sync(fd);
    if (fault("sync")) return -1;
    int result = sync(fd);
    if (!result) note(folder ? 'D' : 'S', folder ? "" : name, 0, "", 0);
    return result;
}

int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }
int fsync(int fd) { return synced(fd, REAL(fsync)); }

int unlink(const char *path) {
    const char *name = ours(path);
    int result = REAL(unlink)(path);
    if (name && !result) note('U', name, 0, "", 0);
    return result;
}
