/*
 * pm.h -- persistent stores: the one seam between the file system and the medium.
 *
 * Nothing else in the project stores to a pool. Four kinds of store exist:
 *
 *   pm_copy, pm_zero   non-temporal, whole 64-byte lines; durable after the next pm_fence by the same thread
 *   pm_set8            one 8-byte aligned atomic store, not flushed
 *   pm_flush           write back the lines of a range (clwb); durable after the next pm_fence by the same thread
 *   pm_fence           orders and completes what this thread copied or flushed before
 *
 * The guarantees that the code may rely on: 8 aligned bytes are the only atom; between two fences stores may become
 * durable in any order, also within a line; a store that is not flushed afterwards may become durable at any time or
 * never; a fence covers only the stores and flushes of its own thread. (Intel SDM vol. 1, 10.4.6; SNIA NVM programming
 * model.)
 *
 * On the reference host lines are expensive and fences are not: an entry, slot or record is written as whole lines with
 * pm_copy, a single word with pm_set8 + pm_flush.
 *
 * Observation: a struct pm_observer may be attached. It is called before every store, flush and fence, with the source
 * location of the caller; the crash tests record with it and the benchmarks count. A NULL observer costs one predicted
 * branch. Observers do not change what is stored.
 *
 * Thread safety: any thread may call any store function on one struct pm. Map, unmap and observe must not run at the
 * same time as any other function on the same struct pm.
 */
#ifndef FARNOVA_COMMON_PM_H
#define FARNOVA_COMMON_PM_H

#include "common/le.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PM_LINE 64

/* The kind of memory of the pool: decides whether it survives power failure and can be registered for RDMA. */
enum pm_kind {
	PM_DEVDAX, /* character device, MAP_SYNC by nature: durable, can be registered */
	PM_FSDAX,  /* file mapped with MAP_SYNC: durable; cannot be pinned without on-demand paging */
	PM_MEMORY, /* tmpfs, hugetlbfs or memfd: survives the process, not the host; can be registered */
	PM_FILE,   /* ordinary file in the page cache: survives the process, not power failure; cannot be pinned */
};

enum pm_event_type { PM_EV_COPY, PM_EV_ZERO, PM_EV_SET8, PM_EV_FLUSH, PM_EV_FENCE };

struct pm_event {
	enum pm_event_type type;
	uint64_t offset;  /* from the pool's start; 0 for a fence */
	uint64_t length;  /* bytes; 8 for PM_EV_SET8, 0 for a fence */
	const void *data; /* what will be stored (PM_EV_COPY, PM_EV_SET8), valid during the call */
	const char *site; /* "file:line" of the caller, a static string */
};

struct pm_observer {
	void (*event)(struct pm_observer *self, const struct pm_event *event);
};

struct pm {
	uint8_t *base;
	uint64_t size; /* bytes mapped */
	enum pm_kind kind;
	bool read_only;
	uint64_t device;           /* represents the ids of the underlying devices, 0 = unknown */
	uint64_t unsafe_shutdowns; /* their counts, if device is not 0 */
	struct pm_observer *observer;
	int fd; /* the open pool, which holds the lock against a second user; -1 for pm_wrap */
};

/*
 * pm_open -- map the pool at `path`: a devdax device, a file on fsdax, tmpfs or any other file system.
 *
 * Takes an exclusive advisory lock (shared when read_only), so that one pool never has two writers: -EBUSY if it is
 * in use. -ENOENT, -EACCES, -EISDIR, -EINVAL (not a file or devdax device, or empty) and -ENOMEM otherwise; `why`, if
 * not NULL, receives a sentence that says what was asked, why it failed and what to do.
 */
int pm_open(const char *path, bool read_only, struct pm *pm, char *why, size_t why_size);

/*
 * pm_open_grown -- pm_open for writing, after the file at `path` was made `size` bytes long with all its space
 * allocated, durably; 0 = as it is. A devdax device is opened whole, whatever its size. -EINVAL if `size` is smaller
 * than the file or, of a device, is not its size.
 */
int pm_open_grown(const char *path, uint64_t size, struct pm *pm, char *why, size_t why_size);

/*
 * pm_create -- make the file at `path` with `size` bytes and map it like pm_open. A devdax device already has its
 * size: `size` 0 takes all of it. An existing file is truncated to `size` only with `force`, else -EEXIST.
 */
int pm_create(const char *path, uint64_t size, bool force, struct pm *pm, char *why, size_t why_size);

/* pm_wrap -- use memory of the caller as a pool (tests; images of crash states). */
void pm_wrap(struct pm *pm, void *base, uint64_t size);

/* pm_close -- unmap and unlock. Does not flush: stores without a fence are not guaranteed. */
void pm_close(struct pm *pm);

/*
 * pm_populate -- make the page-table entries of [offset, offset + length) of a pool in memory now, so that no store or
 * load of it takes a page fault later. A devdax mapping has large pages and needs none; for every other kind this does
 * nothing. May run beside everything else on the same struct pm.
 */
void pm_populate(const struct pm *pm, uint64_t offset, uint64_t length);

/* pm_kind_name -- "devdax", "fsdax", "memory" or "file". */
const char *pm_kind_name(enum pm_kind kind);

static inline uint64_t pm_offset(const struct pm *pm, const void *p)
{
	return (uint64_t)((const uint8_t *)p - pm->base);
}

static inline void *pm_at(const struct pm *pm, uint64_t offset)
{
	return pm->base + offset;
}

#define PM_SITE_STR2(x) #x
#define PM_SITE_STR(x)  PM_SITE_STR2(x)
#define PM_SITE         __FILE__ ":" PM_SITE_STR(__LINE__)

/* dst is 64-byte aligned in the pool, len a multiple of 64; src may lie anywhere, also in the pool. */
#define pm_copy(pm, dst, src, len) pm_copy_at((pm), (dst), (src), (len), PM_SITE)
#define pm_zero(pm, dst, len)      pm_zero_at((pm), (dst), (len), PM_SITE)
/* dst is 8-byte aligned; the value is stored in little-endian by one atomic store. */
#define pm_set8(pm, dst, value)    pm_set8_at((pm), (dst), (value), PM_SITE)
#define pm_flush(pm, p, len)       pm_flush_at((pm), (p), (len), PM_SITE)
#define pm_fence(pm)               pm_fence_at((pm), PM_SITE)

void pm_copy_at(struct pm *pm, void *dst, const void *src, size_t len, const char *site);
void pm_zero_at(struct pm *pm, void *dst, size_t len, const char *site);
void pm_set8_at(struct pm *pm, le64 *dst, uint64_t value, const char *site);
void pm_flush_at(struct pm *pm, const void *p, size_t len, const char *site);
void pm_fence_at(struct pm *pm, const char *site);

/* pm_prefetch_store -- load the line into the cache for a store that follows soon. */
static inline void pm_prefetch_store(const void *p)
{
#if defined(__x86_64__)
	/* If the compiler may not assume PREFETCHW, its builtin would prefetch for a load. */
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* pm_get8 -- read a word by one atomic load. */
static inline uint64_t pm_get8(const le64 *src)
{
	return le64toh(__atomic_load_n((const uint64_t *)(const void *)src, __ATOMIC_ACQUIRE));
}

#endif
