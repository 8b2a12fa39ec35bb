/* An engine that computes nothing: vLLM's routes, answered from constants, one thread, epoll.

   upstream [--port N] [--uds PATH] [--core N]       other arguments are vLLM's, and ignored

   A prompt with "@bench n=200 us=2000@" and "stream": true brings 200 events, one each 2000 us,
   each written by itself; its content is "@S000007T0000012345678901234@": the event's number and
   CLOCK_MONOTONIC in ns when it was written. Others get a short whole answer.
   GET /stats says what has been asked, and the processor time.

   --pace 50,20000,200000 is for clients that choose their prompts themselves: every stream has 50
   tokens " a", the first after 200,000 us, then one each 20,000; --stall 3000000,2000000 has all of
   it stand still for 2 s, once, 3 s after the first stream began. */
#include "heap.h"
#include "net.h"

#define MOST_EVENTS 64
#define HEAD "HTTP/1.1 200 OK\r\nserver: bench\r\n"
#define ANSWER                                                                                     \
  "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1795226196,\"model\":"         \
  "\"bench\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"one two " \
  "three four\"},\"text\":\"one\",\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{"       \
  "\"prompt_tokens\":2,\"completion_tokens\":4,\"total_tokens\":6}}"
#define CHUNK                                                                                      \
  "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1795226196,"       \
  "\"model\":\"bench\",\"choices\":["
#define EVENT                                                                                      \
  CHUNK "{\"index\":0,\"delta\":{\"content\":\"@S%06dT%019lld@\"},\"logprobs\":null,"               \
        "\"finish_reason\":null}]}\n\n"
#define TOKEN                                                                                      \
  CHUNK "{\"index\":0,\"text\":\" a\",\"delta\":{\"content\":\" a\"},\"logprobs\":null,"          \
        "\"finish_reason\":null}]}\n\n"
#define LAST CHUNK "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE                                                                                      \
  CHUNK "],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n"

typedef struct Conn {
  Timer timer; /* of its stream; the first member */
  int fd;
  Buffer in, out;
  int sent, events;     /* of the stream */
  int usage, waits_out; /* usage was asked for; EPOLLOUT is awaited */
  ns_t every;
} Conn;

static int poll_fd;
static Heap streams;
static long whole, streamed, aborted, connections, behind;
static char models[4096];
static struct {
  int events, us, first_us, stall_at_us, stall_us;
  ns_t began;
} pace;

static void await(Conn *c, int out) {
  struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
  c->waits_out = out;
  epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* Bytes that the socket does not take wait; nobody here is cut for being slow. */
static void say(Conn *c, const char *data, size_t size) {
  if (!c->out.used) {
    ssize_t done = send(c->fd, data, size, MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN) return; /* its end is seen by reading */
    if (done > 0) data += done, size -= done;
    if (!size) return;
    await(c, 1);
  }
  append(&c->out, data, size);
}

static void say_rest(Conn *c) {
  ssize_t done = send(c->fd, c->out.data, c->out.used, MSG_NOSIGNAL);
  if (done > 0) drop(&c->out, done);
  if (!c->out.used) await(c, 0);
}

static void answer(Conn *c, const char *type, const char *body) {
  char text[8192];
  int size = snprintf(text, sizeof text, HEAD "content-type: %s\r\ncontent-length: %zu\r\n\r\n%s",
                      type, strlen(body), body);
  say(c, text, size);
}

static void say_chunk(Conn *c, const char *format, ...) {
  char body[512], text[600];
  va_list given;
  va_start(given, format);
  int size = vsnprintf(body, sizeof body, format, given);
  va_end(given);
  say(c, text, snprintf(text, sizeof text, "%x\r\n%s\r\n", size, body));
}

static void end(Conn *c) {
  stop_timer(&streams, &c->timer);
  say_chunk(c, LAST);
  if (c->usage) say_chunk(c, USAGE, c->events, c->events + 2);
  say(c, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", 24);
}

static void next_event(Conn *c) {
  if (c->out.used) behind++; /* the reader is slower than the stream */
  if (c->sent < c->events) {
    say_chunk(c, pace.events ? TOKEN : EVENT, c->sent++, (long long)now_ns());
    if (pace.events && c->sent == c->events) return end(c);
    ns_t due = c->timer.due + c->every, now = now_ns();
    return set_timer(&streams, &c->timer, due < now ? now + c->every : due);
  }
  end(c);
}

static int has(const char *body, size_t size, const char *words) {
  return memmem(body, size, words, strlen(words)) != 0;
}

static void generate_paced(Conn *c) {
  c->events = pace.events, c->every = pace.us * 1000LL;
  if (!pace.began) pace.began = now_ns();
  set_timer(&streams, &c->timer, now_ns() + pace.first_us * 1000LL);
}

static void stall_once(void) {
  if (!pace.stall_us || !pace.began || now_ns() < pace.began + pace.stall_at_us * 1000LL) return;
  usleep(pace.stall_us);
  pace.stall_us = 0;
}

static void generate(Conn *c, const char *body, size_t size) {
  const char *order = memmem(body, size, "@bench n=", 9);
  if (!has(body, size, "\"stream\":true") && !has(body, size, "\"stream\": true")) {
    whole++;
    return answer(c, "application/json", ANSWER);
  }
  int us = 0;
  c->events = 1, c->sent = 0;
  if (order) sscanf(order, "@bench n=%d us=%d@", &c->events, &us);
  c->usage = has(body, size, "\"include_usage\":true") || has(body, size, "\"include_usage\": true");
  c->every = us * 1000LL;
  streamed++;
  const char *head = HEAD "content-type: text/event-stream; charset=utf-8\r\n"
                          "transfer-encoding: chunked\r\n\r\n";
  say(c, head, strlen(head));
  if (pace.events) return generate_paced(c);
  set_timer(&streams, &c->timer, now_ns() + c->every);
  if (c->events > 0) say_chunk(c, EVENT, c->sent++, (long long)now_ns());
}

static void stats(Conn *c) {
  char text[512];
  snprintf(text, sizeof text,
           "{\"whole\":%ld,\"streamed\":%ld,\"aborted\":%ld,\"connections\":%ld,\"open\":%d,"
           "\"behind\":%ld,\"cpu_s\":%.6f}",
           whole, streamed, aborted, connections, streams.count, behind, cpu_s());
  answer(c, "application/json", text);
}

static void route(Conn *c, const char *head, const char *body, size_t size) {
  if (!strncmp(head, "POST /", 6)) return generate(c, body, size);
  if (!strncmp(head, "GET /stats", 10)) return stats(c);
  if (!strncmp(head, "GET /v1/models", 14)) return answer(c, "application/json", models);
  if (!strncmp(head, "GET /version", 12)) return answer(c, "application/json", "{\"version\":\"0\"}");
  if (!strncmp(head, "GET /metrics", 12)) return answer(c, "text/plain", "");
  if (!strncmp(head, "GET /health", 11)) return answer(c, "text/plain", "");
  answer(c, "application/json", "{}");
}

static void leave(Conn *c) {
  if (stop_timer(&streams, &c->timer)) aborted++;
  close(c->fd);
  free(c->in.data), free(c->out.data), free(c);
}

/* 0: the connection is at its end. */
static int read_requests(Conn *c) {
  reserve(&c->in, READ_SIZE + 1);
  ssize_t came = recv(c->fd, c->in.data + c->in.used, READ_SIZE, 0);
  if (came <= 0) return came < 0 && errno == EAGAIN;
  c->in.used += came;
  for (;;) {
    char *end = memmem(c->in.data, c->in.used, "\r\n\r\n", 4);
    if (!end) return 1;
    const char *length = header(c->in.data, end + 2, "content-length");
    size_t body = length ? strtoul(length, 0, 10) : 0, head = end + 4 - c->in.data;
    if (c->in.used < head + body) return 1;
    route(c, c->in.data, c->in.data + head, body);
    drop(&c->in, head + body);
  }
}

static void take(int listener) {
  for (int fd; (fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; connections++) {
    Conn *c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (!c) fail("memory");
    no_delay(fd);
    c->fd = fd;
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

static void listen_on(int fd, const struct sockaddr *to, socklen_t size, int *keep) {
  int on = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = keep};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind(fd, to, size) || listen(fd, 4096)) fail("listen");
  *keep = fd;
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void serve(int *listeners) {
  struct epoll_event ready[MOST_EVENTS];
  for (;;) {
    int count = wait_for(poll_fd, ready, MOST_EVENTS, next_due(&streams));
    stall_once();
    for (int i = 0; i < count; i++) {
      void *what = ready[i].data.ptr;
      if (what == &listeners[0] || what == &listeners[1]) {
        take(*(int *)what);
        continue;
      }
      Conn *c = what;
      if (ready[i].events & EPOLLOUT) say_rest(c);
      if ((ready[i].events & ~EPOLLOUT) && !read_requests(c)) leave(c);
    }
    for (ns_t now = now_ns(); next_due(&streams) <= now;) next_event((Conn *)streams.timers[0]);
  }
}

int main(int count, char **words) {
  static int listeners[2];
  const char *name = "bench", *uds = 0;
  int port = 0, core = -1;
  for (int i = 1; i + 1 < count; i++) {
    if (!strcmp(words[i], "--port")) port = atoi(words[i + 1]);
    if (!strcmp(words[i], "--uds")) uds = words[i + 1];
    if (!strcmp(words[i], "--core")) core = atoi(words[i + 1]);
    if (!strcmp(words[i], "--pace"))
      sscanf(words[i + 1], "%d,%d,%d", &pace.events, &pace.us, &pace.first_us);
    if (!strcmp(words[i], "--stall"))
      sscanf(words[i + 1], "%d,%d", &pace.stall_at_us, &pace.stall_us);
    if (!strcmp(words[i], "--served-model-name")) name = words[i + 1];
  }
  on_core(core), many_files(), signal(SIGPIPE, SIG_IGN);
  snprintf(models, sizeof models,
           "{\"object\":\"list\",\"data\":[{\"id\":\"%.200s\",\"object\":\"model\",\"created\":1,"
           "\"owned_by\":\"vllm\",\"root\":\"bench\",\"max_model_len\":32768}]}",
           name);
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct sockaddr_in tcp = tcp_address(port);
  if (port) listen_on(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                      (struct sockaddr *)&tcp, sizeof tcp, &listeners[0]);
  if (uds) {
    struct sockaddr_un local = unix_address(uds);
    unlink(uds);
    listen_on(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
              (struct sockaddr *)&local, sizeof local, &listeners[1]);
  }
  fprintf(stderr, "Application startup complete.\n");
  serve(listeners);
}
