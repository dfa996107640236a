/*
 * new_uuid_case.c -- the copy of a pool gets a UUID of its own, and crashes at every fence of it.
 *
 * The pool is clean and has a checkpoint with the old UUID, and clients whose requests a repeat must not meet.
 */
#include "tests/crash/new_uuid_case.h"

#include "common/container_of.h"
#include "server/nova/clients.h"
#include "server/nova/media/format.h"
#include "server/pool/check/check.h"
#include "tests/crash/fence_sweep.h"
#include "tests/crash/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE    (11ULL << 20)
#define CLIENTS 3u

static const uint8_t key_hash[NOVA_CLIENT_KEY] = {1, 2, 3};

static struct sparse memory;

struct identity {
	uint8_t uuid[16];
	uint8_t key[16];
};

struct attempt {
	struct fence_sweep sweep;
	int damaged; /* the superblock that is damaged before, -1 = none */
	struct listing tree;
	struct identity old, new;
};

static struct identity identity_of(struct nova *fs)
{
	struct identity identity;
	struct nova_statfs statfs;

	nova_statfs(fs, &statfs);
	memcpy(identity.uuid, statfs.uuid, sizeof(identity.uuid));
	nova_handle_key(fs, identity.key);
	return identity;
}

static bool is(const struct identity *a, const struct identity *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* All that may be wrong before a mount is one superblock. */
static void note(struct check_report *report, const struct check_finding *finding)
{
	unsigned *others = report->context;

	if (strcmp(finding->part, "superblock") != 0 || report->errors > 1)
		++*others;
}

static const char *use(struct nova *fs, const struct attempt *a, bool known)
{
	struct nova_call call = {0};
	struct listing now = {0};
	const char *wrong = NULL;

	if (nova_worker_open(fs, &call.worker))
		return "no worker";
	if (snapshot_take(&now, &call, nova_root(fs)) || !listing_equal(&now, &a->tree))
		wrong = "the tree is not as it was";
	listing_free(&now);
	for (unsigned i = 1; !wrong && i <= CLIENTS; i++) {
		struct nova_client *client;
		int rc = nova_client_find(fs, i, key_hash, &client);

		if (rc && rc != -ENOENT)
			wrong = "a client is neither there nor gone";
		else if (!rc && !known)
			wrong = "with the new UUID it knows a client of the original";
		if (!rc)
			nova_client_release(fs, client);
	}
	nova_worker_close(call.worker);
	return wrong;
}

/* For every second image the command is given once more before anything is mounted. */
static const char *judge(struct fence_sweep *sweep, uint8_t *image)
{
	const struct attempt *a = container_of(sweep, struct attempt, sweep);
	const bool again = sweep->counts->tried & 1;
	struct image_watch watch = images_watch(&sweep->images);
	const struct nova_mount_options options = {.recovery_threads = 1};
	struct check_report report = {0};
	struct identity found, third = {0};
	static char why[512];
	uint8_t before[16];
	const char *wrong;
	unsigned others = 0;
	struct nova *fs;
	struct pm pm;

	report = (struct check_report){.finding = note, .context = &others};
	if (nova_check(image, SIZE, &report) < 0 || others)
		return "more is wrong than one superblock";
	pm_wrap(&pm, image, SIZE);
	pm.observer = &watch.observer;
	if (again && nova_new_uuid(&pm, before, third.uuid, why, sizeof(why)))
		return why;
	if (nova_mount(&pm, &options, &fs, why, sizeof(why)))
		return why;
	found = identity_of(fs);
	if (again)
		wrong = memcmp(found.uuid, third.uuid, 16) != 0 ? "a second try gave another UUID than it says" : NULL;
	else if (is(&found, &a->new))
		wrong = NULL;
	else if (!is(&found, &a->old))
		wrong = "UUID and key are neither the old nor the new ones";
	else
		wrong = sweep->returned ? "it had returned but the UUID is the old one" : NULL;
	if (!wrong)
		wrong = use(fs, a, is(&found, &a->old));
	nova_unmount(fs);
	report = (struct check_report){0};
	if (!wrong && nova_check(image, SIZE, &report))
		wrong = "not consistent after use";
	return wrong;
}

/* A request of a client. */
static bool request(struct nova *fs, struct nova_call *call, unsigned number)
{
	struct nova_client *client;
	struct nova_intent intent;
	char name[16];
	bool ok;

	snprintf(name, sizeof(name), "file%u", number);
	if (nova_client_new(call->worker, number, key_hash, &client))
		return false;
	ok = nova_intent_begin(call->worker, client, 0, 1, 7, &intent) == 0;
	call->intent = &intent;
	ok = ok && nova_create(call, nova_root(fs), name, strlen(name), S_IFREG | 0600, 0, NULL) == 0;
	call->intent = NULL;
	nova_client_release(fs, client);
	return ok;
}

static bool begin(struct attempt *a, struct trace *trace)
{
	struct nova_call call = {0};
	struct nova *fs;
	struct pm pm;
	bool ok;

	sparse_clear(&memory, SIZE);
	pm_wrap(&pm, memory.base, SIZE);
	pm.observer = &trace->observer;
	if (nova_format(&pm, NULL) || nova_mount(&pm, NULL, &fs, NULL, 0))
		return false;
	a->old = identity_of(fs);
	ok = nova_worker_open(fs, &call.worker) == 0;
	for (unsigned i = 1; ok && i <= CLIENTS; i++)
		ok = request(fs, &call, i);
	ok = ok && snapshot_take(&a->tree, &call, nova_root(fs)) == 0;
	if (call.worker)
		nova_worker_close(call.worker);
	nova_unmount(fs);
	if (a->damaged >= 0)
		memory.base[(a->damaged ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0) * NOVA_BLOCK_SIZE + 100] ^= 1;
	return ok;
}

/* What it is now, by a mount that stores nothing. */
static bool note_new(struct attempt *a, struct pm *pm)
{
	const struct nova_mount_options read_only = {.read_only = true, .recovery_threads = 1};
	struct nova *fs;

	if (nova_mount(pm, &read_only, &fs, NULL, 0))
		return false;
	a->new = identity_of(fs);
	nova_unmount(fs);
	return memcmp(a->new.uuid, a->old.uuid, 16) != 0 && memcmp(a->new.key, a->old.key, 16) != 0;
}

static unsigned try_one(const struct crash_settings *settings, struct crash_counts *counts, int damaged)
{
	static const char *const what[] = {"new-uuid of a pool with both superblocks",
	                                   "new-uuid of a pool with the second superblock",
	                                   "new-uuid of a pool with the first superblock"};
	struct attempt a = {
	    .sweep = {.settings = settings, .counts = counts, .what = what[damaged + 1], .judge = judge},
	    .damaged = damaged};
	uint8_t old_uuid[16], new_uuid[16];
	struct trace trace;
	struct pm pm;

	trace_init(&trace, &memory);
	if (!begin(&a, &trace)) {
		printf("FAIL new-uuid: cannot prepare it\n");
		a.sweep.failures++;
	}
	trace_clear(&trace);
	images_init(&a.sweep.images, &memory);
	pm_wrap(&pm, memory.base, SIZE);
	pm.observer = &trace.observer;
	if (!a.sweep.failures && (nova_new_uuid(&pm, old_uuid, new_uuid, NULL, 0) || !note_new(&a, &pm))) {
		printf("FAIL new-uuid fails\n");
		a.sweep.failures++;
	}
	if (!a.sweep.failures)
		fence_sweep_run(&a.sweep, &trace);
	trace_free(&trace);
	images_free(&a.sweep.images);
	listing_free(&a.tree);
	return a.sweep.failures;
}

unsigned new_uuid_case(const struct crash_settings *settings, struct crash_counts *counts)
{
	unsigned failures = 0;

	sparse_init(&memory, SIZE);
	for (int damaged = -1; damaged < 2; damaged++)
		failures += try_one(settings, counts, damaged);
	sparse_free(&memory);
	return failures;
}
