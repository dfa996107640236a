/*
 * pm.c -- the persistent stores of pm.h on libpmem.
 *
 * libpmem selects the flush instruction of this CPU, and knows whether caches are persistent (eADR), where a flush does
 * nothing. Its store functions work on any mapping, persistent or not: on a pool in the page cache or tmpfs the stores
 * alone fulfil the guarantee of pm.h (the process may die, not the host), and flushes cost as much as on the real
 * medium.
 */
#include "common/pm/pm.h"

#include <libpmem.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

static void observe(const struct pm *pm, enum pm_event_type type, const void *dst, size_t len, const void *data,
                    const char *site)
{
	struct pm_event event = {
	    .type = type,
	    .offset = dst ? pm_offset(pm, dst) : 0,
	    .length = len,
	    .data = data,
	    .site = site,
	};

	pm->observer->event(pm->observer, &event);
}

static inline bool observed(const struct pm *pm)
{
	return __builtin_expect(pm->observer != NULL, 0);
}

void pm_copy_at(struct pm *pm, void *dst, const void *src, size_t len, const char *site)
{
	if (observed(pm))
		observe(pm, PM_EV_COPY, dst, len, src, site);
#if defined(__x86_64__)
	/*
	 * A single line is the most frequent store, and libpmem's dispatch would be a tenth of its cost. Lines were
	 * just assembled from words; reading them as words lets the CPU forward them from its store buffer.
	 */
	if (len == PM_LINE) {
		for (unsigned i = 0; i < PM_LINE / 8; i++) {
			long long word;

			memcpy(&word, (const char *)src + 8 * i, 8);
			_mm_stream_si64((long long *)dst + i, word);
		}
		return;
	}
#endif
	pmem_memmove(dst, src, len, PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL);
}

void pm_zero_at(struct pm *pm, void *dst, size_t len, const char *site)
{
	if (observed(pm))
		observe(pm, PM_EV_ZERO, dst, len, NULL, site);
	pmem_memset(dst, 0, len, PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL);
}

void pm_set8_at(struct pm *pm, le64 *dst, uint64_t value, const char *site)
{
	le64 stored = le64_of(value);

	if (observed(pm))
		observe(pm, PM_EV_SET8, dst, sizeof(stored), &stored, site);
	__atomic_store_n((uint64_t *)(void *)dst, stored.raw, __ATOMIC_RELEASE);
}

void pm_flush_at(struct pm *pm, const void *p, size_t len, const char *site)
{
	if (observed(pm))
		observe(pm, PM_EV_FLUSH, p, len, NULL, site);
	pmem_flush(p, len);
}

void pm_fence_at(struct pm *pm, const char *site)
{
	if (observed(pm))
		observe(pm, PM_EV_FENCE, NULL, 0, NULL, site);
	pmem_drain();
}
