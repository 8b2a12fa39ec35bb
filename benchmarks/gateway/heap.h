/* Timers, the next one first. A Timer is the first member of what it belongs to; zeroed, it is off. */
#pragma once
#include "net.h"

typedef struct {
  ns_t due;
  int place; /* in the heap, from 1; 0: off */
} Timer;

typedef struct {
  Timer **timers;
  int count, room;
} Heap;

static inline void put(Heap *h, int at, Timer *t) {
  h->timers[at] = t;
  t->place = at + 1;
}

static inline void settle(Heap *h, int at, Timer *t) {
  for (int up; at && h->timers[up = (at - 1) / 2]->due > t->due; at = up) put(h, at, h->timers[up]);
  for (int down; (down = 2 * at + 1) < h->count; at = down) {
    if (down + 1 < h->count && h->timers[down + 1]->due < h->timers[down]->due) down++;
    if (h->timers[down]->due >= t->due) break;
    put(h, at, h->timers[down]);
  }
  put(h, at, t);
}

static inline void set_timer(Heap *h, Timer *t, ns_t due) {
  t->due = due;
  if (t->place) return settle(h, t->place - 1, t);
  if (h->count == h->room) {
    h->room = h->room ? h->room * 2 : 64;
    if (!(h->timers = realloc(h->timers, h->room * sizeof *h->timers))) fail("memory");
  }
  h->timers[h->count] = t; /* the last one holds its place while it is settled */
  settle(h, h->count++, t);
}

/* Whether it was on. */
static inline int stop_timer(Heap *h, Timer *t) {
  if (!t->place) return 0;
  Timer *last = h->timers[--h->count];
  if (last != t) settle(h, t->place - 1, last);
  t->place = 0;
  return 1;
}

static inline ns_t next_due(const Heap *h) { return h->count ? h->timers[0]->due : INT64_MAX; }

/* Wait for sockets, until the next timer, a second at the most. */
static inline int wait_for(int poll_fd, struct epoll_event *ready, int most, ns_t due) {
  ns_t left = due == INT64_MAX ? SECOND : due - now_ns();
  if (left < 0) left = 0;
  if (left > SECOND) left = SECOND;
  struct timespec wait = {left / SECOND, left % SECOND};
  return epoll_pwait2(poll_fd, ready, most, &wait, 0);
}
