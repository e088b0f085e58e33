/* A disk whose cache is lost with the power, for LD_PRELOAD: what is written to files of TORTURE_DATA reaches the copy in
 * TORTURE_SHADOW only when the file is synced, and no more of it than was written by then. Whoever kills the process and
 * goes on from the copy has cut the power. Names (unlink, rename) are passed on at once, as by a journaling file system.
 * Writes through mmap are not seen: SQLite makes them only in -shm, which it rebuilds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FDS 65536
#define MOST_FILES 256

struct range { off_t from, to; };
struct file {
  char name[512];
  struct range *dirty;
  size_t count, room;
};

static struct file files[MOST_FILES];
static int file_count;
static struct file *by_fd[MOST_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *data_dir, *shadow_dir;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

__attribute__((constructor)) static void begin(void) {
  data_dir = getenv("TORTURE_DATA");
  shadow_dir = getenv("TORTURE_SHADOW");
  real_open = dlsym(RTLD_NEXT, "open64");
  real_openat = dlsym(RTLD_NEXT, "openat64");
  real_close = dlsym(RTLD_NEXT, "close");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_rename = dlsym(RTLD_NEXT, "rename");
}

/* The name within the data directory, or null for every other path. */
static const char *inside(const char *path) {
  if (!data_dir || !shadow_dir || !path) return NULL;
  size_t length = strlen(data_dir);
  if (strncmp(path, data_dir, length) != 0 || path[length] != '/') return NULL;
  size_t whole = strlen(path);
  if (whole > 4 && strcmp(path + whole - 4, "-shm") == 0) return NULL;
  return path + length + 1;
}

static void shadow_path(char *into, size_t size, const char *name) {
  snprintf(into, size, "%s/%s", shadow_dir, name);
}

static void add_range(struct file *file, off_t from, off_t to) {
  struct range *last = file->count ? &file->dirty[file->count - 1] : NULL;
  if (last && last->to == from) {
    last->to = to;
    return;
  }
  if (file->count == file->room) {
    file->room = file->room ? file->room * 2 : 64;
    file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
    if (!file->dirty) abort();
  }
  file->dirty[file->count++] = (struct range){from, to};
}

static void note_open(int fd, const char *path, int flags) {
  const char *name = inside(path);
  if (fd < 0 || fd >= MOST_FDS || !name || (flags & O_ACCMODE) == O_RDONLY) return;
  pthread_mutex_lock(&lock);
  struct file *found = NULL;
  for (int i = 0; i < file_count; i++)
    if (strcmp(files[i].name, name) == 0) found = &files[i];
  if (!found && file_count < MOST_FILES && strlen(name) < sizeof files[0].name) {
    found = &files[file_count++];
    strcpy(found->name, name);
    /* What a process before this one wrote and did not sync goes with the first sync: it is in the system's cache. */
    struct stat now;
    if (fstat(fd, &now) == 0 && now.st_size > 0) add_range(found, 0, now.st_size);
  }
  by_fd[fd] = found;
  pthread_mutex_unlock(&lock);
}

static void note_write(int fd, off_t from, ssize_t length) {
  if (length <= 0 || fd < 0 || fd >= MOST_FDS || !by_fd[fd]) return;
  pthread_mutex_lock(&lock);
  struct file *file = by_fd[fd];
  if (file) add_range(file, from, from + length);
  pthread_mutex_unlock(&lock);
}

/* Brings the copy up to what is in the file, as far as it was written. */
static void sync_shadow(int fd) {
  if (fd < 0 || fd >= MOST_FDS || !by_fd[fd]) return;
  pthread_mutex_lock(&lock);
  struct file *file = by_fd[fd];
  char path[4096], from[4096];
  shadow_path(path, sizeof path, file->name);
  snprintf(from, sizeof from, "%s/%s", data_dir, file->name);
  int in = real_open(from, O_RDONLY | O_CLOEXEC);
  int out = real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  static char buffer[1 << 16];
  for (size_t i = 0; in >= 0 && out >= 0 && i < file->count; i++) {
    off_t at = file->dirty[i].from;
    while (at < file->dirty[i].to) {
      size_t want = file->dirty[i].to - at;
      if (want > sizeof buffer) want = sizeof buffer;
      ssize_t got = pread(in, buffer, want, at);
      if (got <= 0) break;
      if (real_pwrite(out, buffer, got, at) != got) abort();
      at += got;
    }
  }
  struct stat now;
  if (in >= 0 && out >= 0 && fstat(in, &now) == 0 && ftruncate(out, now.st_size) != 0) abort();
  if (in >= 0) real_close(in);
  if (out >= 0) real_close(out);
  file->count = 0;
  pthread_mutex_unlock(&lock);
}

static mode_t mode_of(int flags, va_list list) {
  return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, mode_t) : 0;
}

#define OPEN(name)                                     \
  int name(const char *path, int flags, ...) {         \
    va_list list;                                      \
    va_start(list, flags);                             \
    mode_t mode = mode_of(flags, list);                \
    va_end(list);                                      \
    int fd = real_open(path, flags, mode);             \
    note_open(fd, path, flags);                        \
    return fd;                                         \
  }
OPEN(open)
OPEN(open64)

int openat64(int dir, const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = mode_of(flags, list);
  va_end(list);
  int fd = real_openat(dir, path, flags, mode);
  note_open(fd, path, flags);
  return fd;
}

int close(int fd) {
  if (fd >= 0 && fd < MOST_FDS && by_fd[fd]) {
    pthread_mutex_lock(&lock);
    by_fd[fd] = NULL;
    pthread_mutex_unlock(&lock);
  }
  return real_close(fd);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  ssize_t done = real_write(fd, bytes, length);
  if (done > 0 && fd >= 0 && fd < MOST_FDS && by_fd[fd]) note_write(fd, lseek(fd, 0, SEEK_CUR) - done, done);
  return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  ssize_t done = real_pwrite(fd, bytes, length, at);
  note_write(fd, at, done);
  return done;
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
  return pwrite(fd, bytes, length, at);
}

int fsync(int fd) {
  int done = real_fsync(fd);
  if (done == 0) sync_shadow(fd);
  return done;
}

int fdatasync(int fd) {
  int done = real_fdatasync(fd);
  if (done == 0) sync_shadow(fd);
  return done;
}

int unlink(const char *path) {
  int done = real_unlink(path);
  const char *name = done == 0 ? inside(path) : NULL;
  if (name) {
    char shadow[4096];
    shadow_path(shadow, sizeof shadow, name);
    real_unlink(shadow);
    errno = 0;
  }
  return done;
}

int rename(const char *from, const char *to) {
  int done = real_rename(from, to);
  const char *was = done == 0 ? inside(from) : NULL, *is = done == 0 ? inside(to) : NULL;
  if (was && is) {
    char old[4096], new[4096];
    shadow_path(old, sizeof old, was);
    shadow_path(new, sizeof new, is);
    real_rename(old, new);
    errno = 0;
  }
  return done;
}
