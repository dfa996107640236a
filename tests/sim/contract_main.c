/*
 * contract_main.c -- runs the contract test of the transports on the simulated network, as tcp and as verbs, with several
 * seeds of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/kernel.h"
#include "tests/sim/transport.h"
#include "tests/support/transport_fixture.h"
#include <cmocka.h>

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEDS 5u

int __wrap_fixture_main(int argc, char **argv, int (*run)(enum transport_kind kind, const char *host));

int __real_transport_poll(struct transport_queue *queue, struct transport_event *events, int max);
int __wrap_transport_poll(struct transport_queue *queue, struct transport_event *events, int max);

/* The test polls without end: time goes on where there is nothing. */
int __wrap_transport_poll(struct transport_queue *queue, struct transport_event *events, int max)
{
	int count = __real_transport_poll(queue, events, max);

	if (count == 0)
		sim_sleep_until(sim_now() + 1000);
	return count;
}

int __wrap_usleep(useconds_t us);

int __wrap_usleep(useconds_t us)
{
	sim_sleep_until(sim_now() + us * SIM_NS_PER_US);
	return 0;
}

int __wrap_fixture_main(int argc, char **argv, int (*run)(enum transport_kind kind, const char *host))
{
	/* That test kills a process of the host. */
	cmocka_set_skip_filter("a_killed_peer*");
	for (unsigned i = 0; i < 2 * SEEDS; i++) {
		enum transport_kind kind = i % 2 ? TRANSPORT_VERBS : TRANSPORT_TCP;
		int status;
		pid_t child;

		fflush(NULL);
		child = fork();
		if (child == 0) {
			const struct network_weather weather = {
			    .least_ns = 1000, .spread_ns = i < SEEDS ? 10000 : 500000, .refuse_in_1024 = 0};

			alarm(60);
			sim_begin(1 + i / 2);
			sim_set_preemption(i % 3 * 16);
			network_set_weather(&weather);
			status = run(kind, "sim");
			fflush(NULL);
			_exit(status);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != 0) {
			printf("%s, seed %u: failed\n", kind == TRANSPORT_VERBS ? "verbs" : "tcp", 1 + i / 2);
			return 1;
		}
	}
	return 0;
}
