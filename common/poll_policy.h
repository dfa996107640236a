/*
 * poll_policy.h -- how long a loop polls before it blocks.
 *
 * Blocking and being woken costs more than a short wait does. Where waits have been short lately the loop polls for
 * twice what they took; where they have not, polling only takes the CPU from others, and it polls for `spin_ns`. Where
 * others want the CPU it does not poll at all. The client's poller and the server's workers go by this.
 *
 * One thread at a time, as its owner sees to.
 */
#ifndef FARNOVA_COMMON_POLL_POLICY_H
#define FARNOVA_COMMON_POLL_POLICY_H

#include "common/cpu_share.h"

#include <stdint.h>

#define POLL_POLICY_ADAPTIVE_NS 500000 /* waits of up to so long are worth polling for */

struct poll_policy {
	int64_t spin_ns;     /* how long to poll at least; 0: not at all */
	int64_t expected_ns; /* how long waits have taken lately: a moving mean */
	struct cpu_share cpu;
};

/* poll_policy_budget -- how long to poll, at `now_ns`, before blocking. */
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

/* poll_policy_learn -- a wait has taken so long. One long wait is not to spoil the mean for long. */
static inline void poll_policy_learn(struct poll_policy *policy, int64_t waited_ns)
{
	if (waited_ns > 4 * POLL_POLICY_ADAPTIVE_NS)
		waited_ns = 4 * POLL_POLICY_ADAPTIVE_NS;
	policy->expected_ns += (waited_ns - policy->expected_ns) / 8;
}

#endif
