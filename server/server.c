/*
 * server.c -- sets up and shuts down the server: pool, core, listeners and workers.
 */
#include "server/server.h"

#include "common/log.h"
#include "common/random.h"
#include "server/loop/worker.h"
#include "server/net/conn.h"
#include "server/reserve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SPIN_US          50
#define LOCK_WAIT_MS     2000u
#define LOCK_PAUSE_MS    50u
#define BLOCK            4096u
#define QUARANTINE_MAX   (16u * 1024)
#define QUARANTINE_SHARE 32u /* of the pool */

/* ---- the pool --------------------------------------------------------------------------------------------------- */

static const char *durability(enum pm_kind kind)
{
	switch (kind) {
	case PM_DEVDAX:
		return "durable";
	case PM_FSDAX:
		return "durable";
	case PM_MEMORY:
		return "in memory: it survives the process, not the host";
	case PM_FILE:
		return "an ordinary file: it survives the process, not power failure";
	}
	return "";
}

/* Both the file and the UUID are this server's, or neither. `last`: it is not tried again, so who has the UUID is asked. */
static int open_once(struct server *server, bool last, char *why, size_t why_size)
{
	const struct config *config = &server->config;
	int rc = pm_open(config->pool, config->read_only, &server->pm, why, why_size);
	char reason[512] = "";

	if (rc < 0)
		return rc;
	rc = reserve_pool(&server->pm, &server->reservation, last ? reason : NULL, sizeof(reason));
	if (rc == 0)
		return 0;
	snprintf(why, why_size, "cannot serve pool '%s': %s", config->pool, reason[0] ? reason : strerror(-rc));
	pm_close(&server->pm);
	return rc;
}

/* A server that was just killed takes a moment to end and to release lock and UUID. A restart waits for that. */
static int open_unlocked(struct server *server, char *why, size_t why_size)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	const unsigned tries = LOCK_WAIT_MS / LOCK_PAUSE_MS;
	int rc = -EBUSY;

	for (unsigned i = 0; rc == -EBUSY && i <= tries; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		rc = open_once(server, i == tries, why, why_size);
	}
	return rc;
}

/* How many blocks one session may keep in quarantine: 64 MiB, or less in a small pool. */
static uint64_t session_quarantine(uint64_t pool_bytes)
{
	uint64_t blocks = pool_bytes / BLOCK / QUARANTINE_SHARE;

	return blocks < QUARANTINE_MAX ? blocks : QUARANTINE_MAX;
}

/* Nothing may be stored any more: not even an unmount. */
static void pool_lost(void *context)
{
	_exit(EXIT_FAILURE);
}

static int open_pool(struct server *server, char *why, size_t why_size)
{
	const struct config *config = &server->config;

	int rc = open_unlocked(server, why, why_size);
	if (rc < 0)
		return rc;
	log_info("pool", "%s is %s, %llu MiB, %s", config->pool, pm_kind_name(server->pm.kind),
	         (unsigned long long)(server->pm.size >> 20), durability(server->pm.kind));
	server->shared.layouts = layout_table_create((unsigned)config->share_ms, session_quarantine(server->pm.size));
	if (!server->shared.layouts) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	const struct nova_mount_options options = {
	    .read_only = config->read_only,
	    .rescue = config->rescue,
	    .accept_unsafe_shutdown = config->accept_unsafe_shutdown,
	    .full_scan = config->full_scan,
	    .progress_ms = (unsigned)config->progress_ms,
	    .cache_bytes = config->cache_bytes,
	    .quarantine = layout_quarantine_blocks,
	    .quarantine_context = server->shared.layouts,
	    .instance = server->shared.instance | 1,
	    .owner_lost = pool_lost,
	};
	char reason[512] = "";
	rc = nova_mount(&server->pm, &options, &server->shared.nova, reason, sizeof(reason));
	if (rc < 0) {
		snprintf(why, why_size, "cannot serve pool '%s': %s%s", config->pool,
		         reason[0] ? reason : strerror(-rc),
		         rc == -EIO ? "; check it with `farnova fsck`, or serve what can be read with --rescue" : "");
		return rc;
	}
	server->config.read_only = nova_read_only(server->shared.nova);
	if (server->config.read_only)
		log_info("pool", "read-only%s: requests that would change something get EROFS",
		         config->rescue ? ", a rescue" : "");
	struct nova_statfs st;
	nova_statfs(server->shared.nova, &st);
	memcpy(server->shared.pool, st.uuid, sizeof(server->shared.pool));
	nova_handle_key(server->shared.nova, server->shared.handle_key);
	struct nova_handle root = nova_root(server->shared.nova);
	server->shared.root = (struct proto_handle){.ino = root.ino.n, .generation = root.generation};
	return 0;
}

static void close_pool(struct server *server)
{
	if (server->shared.nova)
		nova_unmount(server->shared.nova);
	if (server->shared.layouts)
		layout_table_destroy(server->shared.layouts);
	if (server->pm.base)
		pm_close(&server->pm);
	reserve_end(server->reservation);
	server->reservation = NULL;
}

/* ---- workers ---------------------------------------------------------------------------------------------------- */

static void choose_threads(struct config *config)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t cpus = online > 0 ? (uint64_t)online : 1;

	if (config->workers == 0)
		config->workers = cpus / 2 > CONFIG_MAX_WORKERS ? CONFIG_MAX_WORKERS : cpus / 2;
	if (config->workers == 0)
		config->workers = 1;
	/* A worker that polls while its client waits for a CPU makes both slow. */
	if (config->spin_us == UINT64_MAX)
		config->spin_us = cpus < config->workers + 1 ? 0 : SPIN_US;
}

static int make_workers(struct server *server, char *why, size_t why_size)
{
	bool kinds[TRANSPORT_KINDS];

	for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
		kinds[i] = server->listeners.by_kind[i].transport;
	server->worker_count = (unsigned)server->config.workers;
	placement_init(&server->placement, server->worker_count);
	server->workers = calloc(server->worker_count, sizeof(*server->workers));
	int rc = server->workers ? 0 : -ENOMEM;
	if (rc < 0) {
		snprintf(why, why_size, "out of memory for %u workers", server->worker_count);
		server->worker_count = 0;
	}
	for (unsigned i = 0; i < server->worker_count && rc == 0; i++)
		rc = worker_init(&server->workers[i], server, i, kinds, why, why_size);
	/* After the workers have their journal rings, and before a worker can submit a job. */
	if (rc == 0)
		bulk_start(&server->bulk, server->shared.nova);
	if (rc == 0) {
		rc = upkeep_init(&server->upkeep, server->shared.nova, &server->bulk);
		if (rc < 0)
			snprintf(why, why_size, "out of memory");
	}
	for (unsigned i = 0; i < server->worker_count && rc == 0; i++) {
		rc = worker_start(&server->workers[i]);
		if (rc < 0)
			snprintf(why, why_size, "cannot start worker %u: %s", i, strerror(-rc));
	}
	return rc;
}

static void end_workers(struct server *server)
{
	atomic_store(&server->stopping, true);
	for (unsigned i = 0; i < server->worker_count; i++)
		worker_join(&server->workers[i]);
	bulk_stop(&server->bulk);
	/* Deliver the mail that was on its way between workers when they ended: its delivery frees it. */
	int delivered;
	do {
		delivered = 0;
		for (unsigned i = 0; i < server->worker_count; i++) {
			if (server->workers[i].server && server->workers[i].net.mailbox.fd >= 0)
				delivered += mailbox_deliver(&server->workers[i].net.mailbox);
		}
	} while (delivered > 0);
	for (unsigned i = 0; i < server->worker_count; i++)
		worker_destroy(&server->workers[i]);
	upkeep_end(&server->upkeep);
	free(server->workers);
	server->workers = NULL;
	server->worker_count = 0;
}

/* ---- descriptors ------------------------------------------------------------------------------------------------ */

/* Descriptors of each connection over verbs (over tcp fewer), and those of everything else. */
#define DESCRIPTORS_EACH  2u
#define DESCRIPTORS_OTHER 2048u

/* The usual soft limit of 1024 is for programs that use select; other programs may raise it to the hard limit. */
static void raise_descriptors(const struct config *config)
{
	rlim_t wanted = DESCRIPTORS_EACH * (config->max_clients + 2 * ADMISSION_SPARE) + DESCRIPTORS_OTHER;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	struct rlimit raised = {.rlim_cur = wanted, .rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted};
	if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
		return;
	raised = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
	setrlimit(RLIMIT_NOFILE, &raised);
	if (limit.rlim_max < wanted)
		log_warn("server",
		         "the limit of open files is %llu, and %llu clients may need %llu: raise it (ulimit -Hn, or "
		         "LimitNOFILE of the service), or lower max_clients",
		         (unsigned long long)limit.rlim_max, (unsigned long long)config->max_clients,
		         (unsigned long long)wanted);
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

int server_open(struct server *server, char *why, size_t why_size)
{
	choose_threads(&server->config);
	raise_descriptors(&server->config);
	server->shared.config = &server->config;
	server->shared.pm = &server->pm;
	server->shared.space_short = worker_space_short;
	server->shared.bulk = &server->bulk;
	penalty_table_init(&server->shared.penalties);
	registry_init(&server->shared.registry, server->config.max_clients, server->config.max_per_host);
	admission_init(&server->admission, server->config.max_clients, server->config.max_per_host, conn_drop);
	int rc = random_fill(&server->shared.instance, sizeof(server->shared.instance));
	if (rc < 0) {
		snprintf(why, why_size, "no random numbers: %s", strerror(-rc));
		return rc;
	}
	rc = open_pool(server, why, why_size);
	if (rc == 0)
		rc = listeners_open(&server->listeners, server, why, why_size);
	if (rc == 0)
		rc = make_workers(server, why, why_size);
	/* After the workers, because they need their journal rings first. */
	if (rc == 0 && !server->config.read_only)
		janitor_start(&server->janitor, server->shared.nova);
	if (rc == 0)
		populate_start(&server->populate, &server->pm);
	return rc;
}

void server_close(struct server *server)
{
	listeners_close(&server->listeners);
	end_workers(server);
	janitor_stop(&server->janitor);
	populate_stop(&server->populate);
	close_pool(server);
	penalty_table_destroy(&server->shared.penalties);
	registry_destroy(&server->shared.registry);
	admission_destroy(&server->admission);
}
