/* Makes file operations fail, or the process die, at the k-th one under a folder.
 *
 * Loaded by LD_PRELOAD. Armed by fault_arm() in a process that was forked, or by the variable
 * OTHERLANE_FAULT ("kinds k once error signal under") in one that was started. Only operations of
 * the armed kinds on paths that begin with `under` count. The state lies in a page that forks
 * share, so that a parent can ask afterwards how many there were, also of a child that died.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  OPEN_TO_WRITE = 1, WRITE = 2, RENAME = 4, MKDIR = 8, FSYNC = 16, TRUNCATE = 32,
  CLOSE_WRITTEN = 64, UNLINK = 128, CHMOD = 256, OPEN_TO_READ = 512, READ = 1024, MMAP = 2048,
  LIST = 4096
};

struct state {
  int armed, kinds, once, error, signal, struck, struck_kind;
  long k, count;
  char under[1024], struck_path[1024];
};
static struct state *state;

void fault_arm(int kinds, long k, int once, int error, int signal, const char *under) {
  state->kinds = kinds, state->k = k, state->once = once, state->error = error;
  state->signal = signal, state->count = 0, state->struck = 0, state->struck_kind = 0;
  strncpy(state->under, under, sizeof state->under - 1);
  state->armed = 1;
}
void fault_rest(void) { state->armed = 0; }
long fault_count(void) { return state->count; }
int fault_struck(void) { return state->struck; }
int fault_struck_kind(void) { return state->struck_kind; }
const char *fault_struck_path(void) { return state->struck_path; }

__attribute__((constructor)) static void begin(void) {
  state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const char *said = getenv("OTHERLANE_FAULT");
  int kinds, once, error, number, rest = 0;
  long k;
  if (said && sscanf(said, "%d %ld %d %d %d %n", &kinds, &k, &once, &error, &number, &rest) == 5)
    fault_arm(kinds, k, once, error, number, said + rest);
}

static void whole_path(int folder, const char *path, char *out, size_t size) {
  char link[64];
  ssize_t length = 0;
  if (path[0] != '/') {
    if (folder == AT_FDCWD) length = getcwd(out, size) ? (ssize_t)strlen(out) : 0;
    else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
      length = readlink(link, out, size - 1);
      if (length < 0) length = 0;
    }
    if (length < (ssize_t)size - 1) out[length++] = '/';
  }
  strncpy(out + length, path, size - length - 1);
  out[size - 1] = 0;
}

/* The error that this operation shall fail with, or 0. */
static int strikes(int kind, int folder, const char *path) {
  if (!state || !state->armed || !(state->kinds & kind) || !path) return 0;
  int kept = errno;
  char whole[1024];
  whole_path(folder, path, whole, sizeof whole);
  errno = kept;
  if (strncmp(whole, state->under, strlen(state->under))) return 0;
  long now = __sync_add_and_fetch(&state->count, 1);
  if (now < state->k || (state->once && now > state->k)) return 0;
  if (!state->struck) {
    state->struck_kind = kind;
    strncpy(state->struck_path, whole, sizeof state->struck_path - 1);
  }
  state->struck = 1;
  if (state->signal) {
    kill(getpid(), state->signal);
    return 0;
  }
  return state->error;
}

static int strikes_at(int kind, int fd) {
  if (!state || !state->armed || !(state->kinds & kind)) return 0;
  char link[64], path[1024];
  int kept = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = kept;
  if (length <= 0) return 0;
  path[length] = 0;
  return strikes(kind, AT_FDCWD, path);
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL_IF(call) \
  do { int with = (call); if (with) { errno = with; return -1; } } while (0)

static int opens(int flags) {
  return flags & (O_WRONLY | O_RDWR | O_CREAT) ? OPEN_TO_WRITE : OPEN_TO_READ;
}
static int mode_of(int flags, va_list rest) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
}
#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); va_list rest; va_start(rest, flags); \
    int mode = mode_of(flags, rest); va_end(rest); \
    FAIL_IF(strikes(opens(flags), AT_FDCWD, path)); \
    return real(path, flags, mode); \
  }
#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    REAL(name); va_list rest; va_start(rest, flags); \
    int mode = mode_of(flags, rest); va_end(rest); \
    FAIL_IF(strikes(opens(flags), folder, path)); \
    return real(folder, path, flags, mode); \
  }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write); FAIL_IF(strikes_at(WRITE, fd)); return real(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  REAL(pwrite); FAIL_IF(strikes_at(WRITE, fd)); return real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  REAL(pwrite64); FAIL_IF(strikes_at(WRITE, fd)); return real(fd, data, size, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev); FAIL_IF(strikes_at(WRITE, fd)); return real(fd, parts, count);
}
ssize_t sendfile(int to, int from, off_t *at, size_t size) {
  ssize_t sendfile64(int, int, off_t *, size_t);
  static __typeof__(&sendfile64) real;
  if (!real) real = (__typeof__(&sendfile64))dlsym(RTLD_NEXT, "sendfile");
  FAIL_IF(strikes_at(WRITE, to)); return real(to, from, at, size);
}
ssize_t read(int fd, void *data, size_t size) {
  REAL(read); FAIL_IF(strikes_at(READ, fd)); return real(fd, data, size);
}
ssize_t pread(int fd, void *data, size_t size, off_t at) {
  REAL(pread); FAIL_IF(strikes_at(READ, fd)); return real(fd, data, size, at);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
  REAL(pread64); FAIL_IF(strikes_at(READ, fd)); return real(fd, data, size, at);
}
int rename(const char *from, const char *to) {
  REAL(rename); FAIL_IF(strikes(RENAME, AT_FDCWD, to)); return real(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
  REAL(renameat); FAIL_IF(strikes(RENAME, b, to)); return real(a, from, b, to);
}
int mkdir(const char *path, mode_t mode) {
  REAL(mkdir); FAIL_IF(strikes(MKDIR, AT_FDCWD, path)); return real(path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
  REAL(mkdirat); FAIL_IF(strikes(MKDIR, folder, path)); return real(folder, path, mode);
}
int fsync(int fd) { REAL(fsync); FAIL_IF(strikes_at(FSYNC, fd)); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); FAIL_IF(strikes_at(FSYNC, fd)); return real(fd); }
int ftruncate(int fd, off_t size) {
  REAL(ftruncate); FAIL_IF(strikes_at(TRUNCATE, fd)); return real(fd, size);
}
int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64); FAIL_IF(strikes_at(TRUNCATE, fd)); return real(fd, size);
}
int close(int fd) {
  REAL(close);
  int wrong = 0;
  if (state && state->armed && state->kinds & CLOSE_WRITTEN) {
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && flags & (O_WRONLY | O_RDWR)) wrong = strikes_at(CLOSE_WRITTEN, fd);
  }
  int result = real(fd); /* as Linux does: closed, whatever it says */
  FAIL_IF(wrong);
  return result;
}
int unlink(const char *path) {
  REAL(unlink); FAIL_IF(strikes(UNLINK, AT_FDCWD, path)); return real(path);
}
int unlinkat(int folder, const char *path, int flags) {
  REAL(unlinkat); FAIL_IF(strikes(UNLINK, folder, path)); return real(folder, path, flags);
}
int rmdir(const char *path) {
  REAL(rmdir); FAIL_IF(strikes(UNLINK, AT_FDCWD, path)); return real(path);
}
int chmod(const char *path, mode_t mode) {
  REAL(chmod); FAIL_IF(strikes(CHMOD, AT_FDCWD, path)); return real(path, mode);
}
void *mmap(void *at, size_t size, int access, int flags, int fd, off_t from) {
  REAL(mmap);
  int wrong = fd >= 0 ? strikes_at(MMAP, fd) : 0;
  if (wrong) { errno = wrong; return MAP_FAILED; }
  return real(at, size, access, flags, fd, from);
}
void *mmap64(void *at, size_t size, int access, int flags, int fd, off64_t from) {
  REAL(mmap64);
  int wrong = fd >= 0 ? strikes_at(MMAP, fd) : 0;
  if (wrong) { errno = wrong; return MAP_FAILED; }
  return real(at, size, access, flags, fd, from);
}
DIR *opendir(const char *path) {
  REAL(opendir);
  int wrong = strikes(LIST, AT_FDCWD, path);
  if (wrong) { errno = wrong; return NULL; }
  return real(path);
}
DIR *fdopendir(int fd) {
  REAL(fdopendir);
  int wrong = strikes_at(LIST, fd);
  if (wrong) { errno = wrong; return NULL; }
  return real(fd);
}
