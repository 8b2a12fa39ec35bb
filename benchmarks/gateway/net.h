/* What both programs need: time, sockets, buffers that grow. */
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define READ_SIZE 65536

typedef int64_t ns_t;

static inline ns_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * SECOND + at.tv_nsec;
}

static inline double cpu_s(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec + used.tv_nsec / 1e9;
}

static inline void fail(const char *what) {
  perror(what);
  exit(1);
}

static inline void on_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (core >= 0 && sched_setaffinity(0, sizeof set, &set)) fail("sched_setaffinity");
}

static inline void many_files(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

static inline struct sockaddr_in tcp_address(int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return to;
}

static inline struct sockaddr_un unix_address(const char *path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof to.sun_path) fail("the socket's path is too long");
  strcpy(to.sun_path, path);
  return to;
}

static inline void no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a Unix socket: no harm */
}

typedef struct {
  char *data;
  size_t used, room;
} Buffer;

static inline void reserve(Buffer *b, size_t more) {
  if (b->used + more <= b->room) return;
  b->room = (b->used + more) * 2;
  if (!(b->data = realloc(b->data, b->room))) fail("memory");
}

static inline void append(Buffer *b, const char *data, size_t size) {
  reserve(b, size);
  memcpy(b->data + b->used, data, size);
  b->used += size;
}

static inline void drop(Buffer *b, size_t size) {
  memmove(b->data, b->data + size, b->used - size);
  b->used -= size;
}

/* The value of a header in [head, end); 0 where there is none. */
static inline const char *header(const char *head, const char *end, const char *name) {
  size_t size = strlen(name);
  for (const char *at = head; (at = memchr(at, '\n', end - at)); at++) {
    if (end - at < (ssize_t)size + 2) return 0;
    if (!strncasecmp(at + 1, name, size) && at[size + 1] == ':') {
      at += size + 2;
      while (*at == ' ') at++;
      return at;
    }
  }
  return 0;
}
