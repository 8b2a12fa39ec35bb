/* Asks an endpoint as clients do, counts and times what comes; prints one JSON object.

   load --port N | --uds PATH  [--core N] [--key SECRET] [--model NAME] [--seed N]
        [--connections N]  each asks one request after another
        [--requests N]     of each connection; 0: until --duration is over
        [--duration S] [--limit S]  when no more is asked; when all is cut
        [--ramp S]         the connections begin spread over it
        [--pause-ms N]     mean pause between two requests of a connection
        [--mode whole|stream|mix] [--events N] [--us N]

   mix: half whole, a third streams; the rest leaves in the middle of a stream, or at once.
   Delays of events are from the upstream's write to this program's read, by one clock. */
#include "heap.h"
#include "net.h"

#define MARK 31 /* @S000007T0000012345678901234@ and its quotes */
#define MOST_READY 256

enum { WHOLE, STREAM, LEAVE, LEAVE_AT_ONCE };
enum { IDLE, HEAD, BODY, UNTIL_CLOSE, CHUNK_LINE, CHUNK, CHUNK_END, TRAILER };

typedef struct {
  Timer timer; /* when it asks next */
  int fd, left, state, status, kind, closes, leave_after;
  int seen, expected; /* events of this answer */
  size_t rest;        /* bytes of the body, or of a chunk */
  Buffer head, tail;  /* not yet a whole head, line or mark */
  ns_t asked, first;
} Conn;

typedef struct {
  float *values;
  size_t count, room;
} Sample;

static struct {
  const char *uds, *key, *model, *mode;
  int port, core, connections, requests, events, us, pause_ms;
  unsigned seed;
  double duration, limit, ramp;
} given = {.core = -1, .connections = 1, .mode = "whole", .model = "bench", .events = 200, .us = 2000,
           .limit = 600, .seed = 1};

static int poll_fd, busy;
static Heap pending;
static Sample latencies, firsts, delays;
static long answers, bad, broken, refused, left_early, events, lost, reordered, reads, connects;
static long unfinished;
static int bad_status;
static char whole[2048], streaming[2048];
static ns_t began, asks_until;

static void note(Sample *s, double value) {
  if (s->count == s->room) {
    s->room = s->room ? s->room * 2 : 4096;
    if (!(s->values = realloc(s->values, s->room * sizeof *s->values))) fail("memory");
  }
  s->values[s->count++] = value;
}

static unsigned chance(unsigned below) {
  given.seed ^= given.seed << 13, given.seed ^= given.seed >> 17, given.seed ^= given.seed << 5;
  return given.seed % below;
}

static void write_request(char *text, size_t room, int stream) {
  char body[1400], key[300] = "";
  const char *words = "Explain in two sentences why the sky is blue. ";
  int size = snprintf(body, sizeof body,
                      "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief."
                      "\"},{\"role\":\"user\",\"content\":\"@bench n=%d us=%d@ %s%s%s%s%s%s%s\"}],"
                      "\"max_tokens\":256%s}",
                      given.model, given.events, given.us, words, words, words, words, words, words,
                      words, stream ? ",\"stream\":true" : "");
  if (given.key) snprintf(key, sizeof key, "Authorization: Bearer %s\r\n", given.key);
  if (snprintf(text, room,
               "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: "
               "application/json\r\nAccept: */*\r\nUser-Agent: bench\r\n%sContent-Length: %d\r\n"
               "\r\n%s",
               given.port, key, size, body) >= (int)room)
    exit(2);
}

static int connected(Conn *c) {
  struct sockaddr_in tcp = tcp_address(given.port);
  struct sockaddr_un local;
  int fd = socket(given.uds ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (given.uds) local = unix_address(given.uds);
  if (connect(fd, given.uds ? (struct sockaddr *)&local : (struct sockaddr *)&tcp,
              given.uds ? sizeof local : sizeof tcp)) {
    close(fd);
    return 0;
  }
  no_delay(fd);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
  c->fd = fd, connects++;
  return 1;
}

static void disconnect(Conn *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1, c->state = IDLE;
}

static int kind_of_request(void) {
  if (!strcmp(given.mode, "whole")) return WHOLE;
  if (!strcmp(given.mode, "stream")) return STREAM;
  unsigned drawn = chance(100);
  return drawn < 50 ? WHOLE : drawn < 83 ? STREAM : drawn < 95 ? LEAVE : LEAVE_AT_ONCE;
}

/* The connection's next request after a pause, or none. */
static void go_on(Conn *c) {
  ns_t now = now_ns();
  ns_t pause = given.pause_ms ? chance(2 * given.pause_ms) * 1000000LL : 0;
  if ((given.requests && c->left <= 0) || now + pause >= asks_until) {
    disconnect(c);
    busy--;
    return;
  }
  set_timer(&pending, &c->timer, now + pause);
}

static void ask(Conn *c) {
  stop_timer(&pending, &c->timer);
  c->left--, c->kind = kind_of_request();
  if (c->fd < 0 && !connected(c)) {
    refused++;
    usleep(1000);
    return go_on(c);
  }
  const char *text = c->kind == WHOLE ? whole : streaming;
  c->seen = c->expected = c->closes = 0, c->first = 0, c->state = HEAD;
  c->head.used = c->tail.used = 0;
  c->leave_after = c->kind == LEAVE ? 1 + (int)chance(given.events) : INT_MAX;
  c->asked = now_ns();
  if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text)) {
    broken++, disconnect(c);
    return go_on(c);
  }
  if (c->kind == LEAVE_AT_ONCE) {
    left_early++, disconnect(c);
    go_on(c);
  }
}

static void answered(Conn *c) {
  ns_t now = now_ns();
  if (c->status == 200) {
    answers++;
    note(&latencies, (now - c->asked) / 1e3);
    if (c->first) note(&firsts, (c->first - c->asked) / 1e3);
    if (c->kind != WHOLE && c->seen < given.events) lost += given.events - c->seen;
  } else {
    bad++, bad_status = c->status;
  }
  c->state = IDLE;
  if (c->closes) disconnect(c);
  go_on(c);
}

/* Count the marks in what has come of a stream. */
static void look(Conn *c, const char *data, size_t size) {
  append(&c->tail, data, size);
  char *at = c->tail.data, *end = at + c->tail.used;
  for (char *found; (found = memmem(at, end - at, "@S", 2)) && end - found >= MARK - 2;) {
    ns_t now = now_ns();
    if (!c->first) c->first = now;
    note(&delays, (now - strtoll(found + 9, 0, 10)) / 1e3);
    int number = atoi(found + 2);
    reordered += number != c->expected;
    c->expected = number + 1, c->seen++, events++;
    at = found + MARK - 2;
  }
  size_t rest = end - at;
  if (rest > MARK) rest = MARK;
  drop(&c->tail, c->tail.used - rest);
}

static void read_head(Conn *c) {
  char *end = c->head.data + c->head.used;
  append(&c->head, "", 1);
  c->status = atoi(c->head.data + 9);
  end = c->head.data + c->head.used - 1;
  const char *length = header(c->head.data, end, "content-length");
  const char *encoding = header(c->head.data, end, "transfer-encoding");
  const char *connection = header(c->head.data, end, "connection");
  c->closes = connection && !strncasecmp(connection, "close", 5);
  c->rest = length ? strtoul(length, 0, 10) : 0;
  c->state = encoding ? CHUNK_LINE : length ? BODY : UNTIL_CLOSE;
  c->head.used = 0;
}

/* Add to the head or line up to its end; how many bytes of data that took. */
static size_t until(Conn *c, const char *data, size_t size, const char *ending) {
  size_t before = c->head.used, length = strlen(ending);
  append(&c->head, data, size);
  size_t from = before > length ? before - length : 0;
  char *found = memmem(c->head.data + from, c->head.used - from, ending, length);
  if (!found) return size;
  size_t all = found + length - c->head.data;
  c->head.used = all;
  switch (c->state) {
  case HEAD:
    read_head(c);
    break;
  case CHUNK_LINE:
    c->rest = strtoul(c->head.data, 0, 16);
    c->state = c->rest ? CHUNK : TRAILER;
    c->head.used = 0;
    break;
  case CHUNK_END:
    c->state = CHUNK_LINE, c->head.used = 0;
    break;
  case TRAILER:
    if (all == 2) c->state = IDLE;
    c->head.used = 0;
  }
  return all - before;
}

static size_t body(Conn *c, const char *data, size_t size) {
  size_t mine = c->state == UNTIL_CLOSE || size < c->rest ? size : c->rest;
  if (c->kind != WHOLE) look(c, data, mine);
  if (c->state == UNTIL_CLOSE) return mine;
  c->rest -= mine;
  if (!c->rest) c->state = c->state == BODY ? IDLE : CHUNK_END;
  return mine;
}

static void feed(Conn *c, const char *data, size_t size) {
  while (size && c->state != IDLE) {
    int in_body = c->state == BODY || c->state == CHUNK || c->state == UNTIL_CLOSE;
    size_t took = in_body                ? body(c, data, size)
                  : c->state == HEAD     ? until(c, data, size, "\r\n\r\n")
                                         : until(c, data, size, "\r\n");
    data += took, size -= took;
    if (c->state == BODY && !c->rest) c->state = IDLE;
  }
}

static void readable(Conn *c) {
  static char data[READ_SIZE];
  ssize_t came = recv(c->fd, data, sizeof data, 0);
  if (came < 0 && errno == EAGAIN) return;
  if (came > 0 && c->state != IDLE) {
    reads++;
    feed(c, data, came);
    if (c->state == IDLE) return answered(c);
    if (c->seen < c->leave_after) return;
    left_early++, disconnect(c);
    return go_on(c);
  }
  if (c->state == IDLE) return disconnect(c); /* a keep-alive that ended */
  int whole_answer = c->state == UNTIL_CLOSE;
  disconnect(c);
  if (whole_answer) return answered(c);
  broken++;
  if (c->kind != WHOLE && c->seen < given.events) lost += given.events - c->seen;
  go_on(c);
}

static void run(Conn *conns) {
  struct epoll_event ready[MOST_READY];
  ns_t ends = began + (ns_t)(given.limit * SECOND);
  for (int i = 0; i < given.connections; i++) {
    conns[i].fd = -1, conns[i].left = given.requests;
    set_timer(&pending, &conns[i].timer, began + (ns_t)(given.ramp * SECOND * i / given.connections));
  }
  for (busy = given.connections; busy && now_ns() < ends;) {
    int count = wait_for(poll_fd, ready, MOST_READY, next_due(&pending));
    for (int i = 0; i < count; i++) {
      Conn *c = ready[i].data.ptr;
      if (c->fd >= 0) readable(c);
    }
    for (ns_t now = now_ns(); next_due(&pending) <= now;) ask((Conn *)pending.timers[0]);
  }
  for (int i = 0; i < given.connections; i++) {
    unfinished += conns[i].state != IDLE;
    if (conns[i].fd >= 0) close(conns[i].fd);
  }
}

static int order(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void print_sample(const char *name, Sample *s) {
  static const double parts[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
  static const char *names[] = {"least", "p50", "p90", "p99", "p999", "most"};
  qsort(s->values, s->count, sizeof *s->values, order);
  printf("\"%s\":{\"count\":%zu", name, s->count);
  for (int i = 0; s->count && i < 6; i++)
    printf(",\"%s\":%.1f", names[i], s->values[(size_t)(parts[i] * (s->count - 1) + 0.5)]);
  printf("},");
}

static void print(double seconds) {
  printf("{");
  print_sample("latency_us", &latencies);
  print_sample("first_us", &firsts);
  print_sample("delay_us", &delays);
  printf("\"answers\":%ld,\"bad\":%ld,\"bad_status\":%d,\"broken\":%ld,\"refused\":%ld,"
         "\"left\":%ld,\"unfinished\":%ld,\"events\":%ld,\"lost\":%ld,\"reordered\":%ld,"
         "\"reads\":%ld,\"connects\":%ld,\"seconds\":%.6f,\"cpu_s\":%.6f}\n",
         answers, bad, bad_status, broken, refused, left_early, unfinished, events, lost, reordered,
         reads, connects, seconds, cpu_s());
}

static double *number(const char *name) {
  if (!strcmp(name, "--duration")) return &given.duration;
  if (!strcmp(name, "--limit")) return &given.limit;
  return strcmp(name, "--ramp") ? 0 : &given.ramp;
}

static int *integer(const char *name) {
  static const char *names[] = {"--port", "--core", "--connections", "--requests", "--events",
                                "--us", "--pause-ms", "--seed"};
  int *places[] = {&given.port, &given.core, &given.connections, &given.requests, &given.events,
                   &given.us, &given.pause_ms, (int *)&given.seed};
  for (int i = 0; i < 8; i++)
    if (!strcmp(name, names[i])) return places[i];
  return 0;
}

static void read_words(int count, char **words) {
  for (int i = 1; i + 1 < count; i += 2) {
    if (number(words[i])) *number(words[i]) = atof(words[i + 1]);
    else if (integer(words[i])) *integer(words[i]) = atoi(words[i + 1]);
    else if (!strcmp(words[i], "--uds")) given.uds = words[i + 1];
    else if (!strcmp(words[i], "--key")) given.key = words[i + 1];
    else if (!strcmp(words[i], "--model")) given.model = words[i + 1];
    else if (!strcmp(words[i], "--mode")) given.mode = words[i + 1];
    else {
      fprintf(stderr, "unknown: %s\n", words[i]);
      exit(2);
    }
  }
}

int main(int count, char **words) {
  read_words(count, words);
  on_core(given.core), many_files(), signal(SIGPIPE, SIG_IGN);
  write_request(whole, sizeof whole, 0);
  write_request(streaming, sizeof streaming, 1);
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  Conn *conns = calloc(given.connections, sizeof *conns);
  began = now_ns();
  asks_until = given.duration ? began + (ns_t)(given.duration * SECOND) : INT64_MAX;
  run(conns);
  print((now_ns() - began) / 1e9);
  return 0;
}
