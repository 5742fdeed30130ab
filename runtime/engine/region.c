// See region.h.
#include "runtime/engine/region.h"

#include <sys/mman.h>

#include "runtime/core/core.h"

enum { HUGE_FROM = 4 << 20 };

static void region_end(void *object) {
  const Region *r = object;
  if (r->data) munmap(r->data, r->bytes);
}

bool region_new(Region *r, size_t bytes, const char *what, RtAbout about, RtError *e) {
  *r = (Region){0};
  if (!bytes) return true;
  Region *held = rt_object(sizeof *held, region_end);
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    rt_end(held);
    return rt_fail_about(e, about, "out of memory: %s needs %.1f MB", what, (double)bytes / 1e6);
  }
  if (bytes >= HUGE_FROM) madvise(p, bytes, MADV_HUGEPAGE);
  *held = (Region){.data = p, .bytes = bytes};
  *r = (Region){p, bytes, held};
  return true;
}

void region_sparse(const Region *r) {
  if (r->data) madvise(r->data, r->bytes, MADV_NOHUGEPAGE);
}

void region_drop(const Region *r) {
  if (r->data) madvise(r->data, r->bytes, MADV_DONTNEED);
}

void region_free(Region *r) {
  rt_end(r->held);
  *r = (Region){0};
}
