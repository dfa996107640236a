/*
 * poll_policy.h -- how long a loop polls before it blocks.
 *
 * Blocking and waking cost more than a short wait. If recent waits were short, the loop polls for twice their mean.
 * Otherwise polling mostly takes the CPU from others, and the loop polls only for `spin_ns`. If the CPU is crowded it
 * does not poll at all. The client's poller and the server's workers use this policy.
 *
 * One thread at a time; the owner ensures this.
 */
#ifndef FARNOVA_COMMON_POLL_POLICY_H
#define FARNOVA_COMMON_POLL_POLICY_H

#include "common/cpu_share.h"

#include <stdint.h>

#define POLL_POLICY_ADAPTIVE_NS 500000 /* waits of up to this length are worth polling for */

struct poll_policy {
	int64_t spin_ns;     /* minimum time to poll; 0: never */
	int64_t expected_ns; /* moving mean of recent waits */
	struct cpu_share cpu;
};

/* poll_policy_budget -- how long to poll before blocking; the time now is `now_ns`. */
static inline int64_t poll_policy_budget(const struct poll_policy *policy, int64_t now_ns)
{
	if (cpu_share_crowded(&policy->cpu, now_ns))
		return 0;
	if (policy->spin_ns == 0 || policy->expected_ns > POLL_POLICY_ADAPTIVE_NS)
		return policy->spin_ns;
	int64_t adapted =
	    2 * policy->expected_ns < POLL_POLICY_ADAPTIVE_NS ? 2 * policy->expected_ns : POLL_POLICY_ADAPTIVE_NS;
	return adapted > policy->spin_ns ? adapted : policy->spin_ns;
}

/* poll_policy_learn -- update the mean with a wait. A single long wait must not distort the mean for long. */
static inline void poll_policy_learn(struct poll_policy *policy, int64_t waited_ns)
{
	if (waited_ns > 4 * POLL_POLICY_ADAPTIVE_NS)
		waited_ns = 4 * POLL_POLICY_ADAPTIVE_NS;
	policy->expected_ns += (waited_ns - policy->expected_ns) / 8;
}

#endif
