/*
 * verify.c -- checks, mounts, compares and uses what a crash left.
 */
#include "tests/crash/verify.h"

#include "server/nova/nova.h"
#include "server/pool/check/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A mounted image; every store made through it is told to the images it belongs to. */
struct mounted {
	struct pm_observer observer;
	struct images *images;
	struct trace *trace; /* records what the mount itself stores, may be NULL */
	struct pm pm;
	struct nova *fs;
	struct nova_worker *worker;
	struct nova_call call;
	const struct oracle_tree *right; /* what it was found to hold */
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct verdict *verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(verdict->text, sizeof(verdict->text), format, args);
	va_end(args);
	return false;
}

/* ---- fsck --------------------------------------------------------------------------------------- */

static void keep_first(struct check_report *report, const struct check_finding *finding)
{
	struct verdict *verdict = report->context;

	if (report->errors == 1)
		wrong(verdict, "fsck: %s inode %llu: %s", finding->part, (unsigned long long)finding->ino,
		      finding->text);
}

static bool consistent(const uint8_t *image, uint64_t size, const char *when, struct check_report *report,
                       struct verdict *verdict)
{
	char text[400];

	*report = (struct check_report){.finding = keep_first, .context = verdict};
	if (nova_check(image, size, report) == 0)
		return true;
	snprintf(text, sizeof(text), "%.399s", verdict->text);
	return wrong(verdict, "%s: %s", when, text);
}

/* ---- mount -------------------------------------------------------------------------------------- */

static void note_store(struct pm_observer *self, const struct pm_event *event)
{
	struct mounted *m = (struct mounted *)(void *)self;

	if (event->type == PM_EV_COPY || event->type == PM_EV_ZERO || event->type == PM_EV_SET8)
		images_touched(m->images, event->offset, event->length);
	if (m->trace)
		m->trace->observer.event(&m->trace->observer, event);
}

_Static_assert(offsetof(struct mounted, observer) == 0, "the observer leads, so that it can be cast back");

static bool mount_image(struct mounted *m, struct images *images, uint8_t *image, struct trace *trace,
                        struct verdict *verdict)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	char why[256];
	int rc;

	*m = (struct mounted){.observer = {note_store}, .images = images, .trace = trace};
	pm_wrap(&m->pm, image, images->work.size);
	m->pm.observer = &m->observer;
	rc = nova_mount(&m->pm, &options, &m->fs, why, sizeof(why));
	if (rc)
		return wrong(verdict, "mount fails: %s (%s)", strerror(-rc), why);
	m->trace = NULL;
	rc = nova_worker_open(m->fs, &m->worker);
	if (rc) {
		nova_unmount(m->fs);
		return wrong(verdict, "no worker after the mount: %s", strerror(-rc));
	}
	m->call = (struct nova_call){.worker = m->worker};
	return true;
}

static void unmount_image(struct mounted *m)
{
	nova_worker_close(m->worker);
	nova_unmount(m->fs);
}

/* ---- the tree and its use ----------------------------------------------------------------------- */

/* What a repeat of the request is told. */
static int outcome_of(const struct mounted *m, const struct world_request *request, bool known,
                      struct nova_outcome *out)
{
	struct nova_client *client;
	int rc = nova_client_find(m->fs, request->number, WORLD_CLIENT_KEY, &client);

	/* A new client has heard of no record yet, so it does not repeat. */
	if (rc)
		return rc == -ENOENT && !known && request->number != WORLD_CLIENT ? 0 : rc;
	memset(out, 0, sizeof(*out));
	rc = nova_client_outcome(m->fs, client, request->slot, request->sequence, out);
	nova_client_release(m->fs, client);
	return rc;
}

/* Whether a client that repeats its requests is told of each what became of it, and the same result as then. */
static bool right_outcomes(const struct mounted *m, const struct oracle *oracle, unsigned done)
{
	if (nova_read_only(m->fs))
		return true;
	for (unsigned k = 0; k < WORLD_CLIENT_SLOTS && oracle->requests[k]; k++) {
		const struct world_request *request = oracle->requests[k];
		bool executed = request->stored && done & 1u << k;
		struct nova_outcome out;

		if (!request->sequence)
			continue;
		if (outcome_of(m, request, oracle->known, &out) != executed ||
		    (executed && memcmp(&out, &request->outcome, sizeof(out)) != 0))
			return false;
	}
	return true;
}

static bool right_tree(struct mounted *m, const struct oracle *oracle, uint64_t orphans, struct verdict *verdict)
{
	static struct listing now;
	bool known = false;
	int rc = snapshot_take(&now, &m->call, nova_root(m->fs));

	if (rc)
		return wrong(verdict, "reading the tree fails: %s", strerror(-rc));
	for (unsigned i = 0; i < oracle->count; i++)
		if (oracle->right[i].orphans == orphans && listing_equal(&now, oracle->right[i].tree)) {
			known = true;
			m->right = &oracle->right[i];
			if (right_outcomes(m, oracle, oracle->right[i].done))
				return true;
		}
	if (known)
		return wrong(verdict, "the tree is right, but not what a repeated request is told");
	return wrong(verdict, "the tree is none of the %u that are right here (it has %llu inodes without a name)",
	             oracle->count, (unsigned long long)orphans);
}

static bool nothing_lost(struct mounted *m, uint8_t *image, struct verdict *verdict)
{
	struct check_report report;
	struct nova_statfs statfs;
	int reclaimed;

	reclaimed = nova_reclaim_orphans(&m->call);
	if (reclaimed < 0)
		return wrong(verdict, "reclaiming orphans fails: %s", strerror(-reclaimed));
	if (!consistent(image, m->images->work.size, "after the mount", &report, verdict))
		return false;
	if (report.orphans)
		return wrong(verdict, "%llu orphans are left after they were reclaimed",
		             (unsigned long long)report.orphans);
	nova_statfs(m->fs, &statfs);
	if (statfs.free_blocks != report.free_blocks)
		return wrong(verdict, "the file system says %llu blocks are free, fsck %llu",
		             (unsigned long long)statfs.free_blocks, (unsigned long long)report.free_blocks);
	if (statfs.inodes != report.files + report.directories + report.symlinks + report.others)
		return wrong(verdict, "the file system says %llu inodes are in use, fsck %llu",
		             (unsigned long long)statfs.inodes,
		             (unsigned long long)(report.files + report.directories + report.symlinks + report.others));
	return true;
}

static bool usable(struct mounted *m, const struct oracle *oracle, struct verdict *verdict)
{
	static const char text[] = "life goes on after the crash";
	struct nova_handle root = nova_root(m->fs);
	struct nova_attr attr;
	char back[sizeof(text)];
	int64_t rc;

	rc = nova_create(&m->call, root, "after-crash", 11, S_IFREG | 0600, 0, &attr);
	if (rc == -ENOSPC && oracle->full)
		return true;
	if (rc)
		return wrong(verdict, "create after the crash fails: %s", strerror((int)-rc));
	if (oracle->generations && attr.handle.generation <= oracle->generations[attr.handle.ino.n])
		return wrong(verdict, "a handle of an inode that is gone means the new inode %llu.%u",
		             (unsigned long long)attr.handle.ino.n, attr.handle.generation);
	rc = nova_write(&m->call, attr.handle, 4090, text, sizeof(text), 0, NULL);
	if (rc != (int64_t)sizeof(text) && !(rc == -ENOSPC && oracle->full))
		return wrong(verdict, "write after the crash returns %lld", (long long)rc);
	if (rc > 0) {
		rc = nova_read(&m->call, attr.handle, 4090, back, sizeof(back));
		if (rc != (int64_t)sizeof(back) || memcmp(back, text, sizeof(back)) != 0)
			return wrong(verdict, "what is written after the crash reads back wrong");
	}
	rc = nova_rename(&m->call, root, "after-crash", 11, root, "moved", 5, 0, NULL);
	if (rc == -ENOSPC && oracle->full)
		rc = nova_unlink(&m->call, root, "after-crash", 11, NULL);
	else if (rc == 0)
		rc = nova_unlink(&m->call, root, "moved", 5, NULL);
	if (rc)
		return wrong(verdict, "rename or unlink after the crash fails: %s", strerror((int)-rc));
	return true;
}

/* ---- a crash during the mount ------------------------------------------------------------------- */

struct second {
	struct images *images;
	const struct oracle *oracle;
	struct verdict *verdict;
	uint64_t tried;
};

static bool try_second(void *context, uint8_t *image, const char *family)
{
	struct second *second = context;
	struct check_report report;
	struct mounted m;
	bool ok;

	second->tried++;
	if (!consistent(image, second->images->work.size, "crash in recovery", &report, second->verdict))
		return false;
	if (!mount_image(&m, second->images, image, NULL, second->verdict))
		return false;
	ok = right_tree(&m, second->oracle, report.orphans, second->verdict);
	unmount_image(&m);
	return ok;
}

static bool survives_second_crash(struct images *deep, const struct sparse *image, const struct trace *recovery,
                                  const struct oracle *oracle, struct verdict *verdict, uint64_t *tried)
{
	static const struct image_limits limits = {.atoms = 12, .lines = 8, .atom_subsets = 4, .line_subsets = 2};
	struct second second = {deep, oracle, verdict, 0};
	bool ok = true;

	images_reset(deep, image);
	for (size_t i = 0; ok && i < recovery->count; i++) {
		if (recovery->events[i].type == PM_EV_FENCE)
			ok = images_each(deep, &limits, try_second, &second, NULL);
		images_step(deep, recovery, &recovery->events[i]);
	}
	*tried += second.tried;
	return ok;
}

/* ---- a read-only mount -------------------------------------------------------------------------- */

/* Among so many images one is also mounted read-only: it costs half as much as all the rest. */
#define READ_ONLY_EVERY 4

struct stores {
	struct pm_observer observer;
	const char *site; /* of the first store */
};

static void note_site(struct pm_observer *self, const struct pm_event *event)
{
	struct stores *stores = (struct stores *)(void *)self;

	if (event->type != PM_EV_FENCE && !stores->site)
		stores->site = event->site;
}

/* It shows what recovery will make of the image, and stores nothing. */
static bool read_only_shows_it(uint8_t *image, uint64_t size, const struct oracle *oracle, uint64_t orphans,
                               struct verdict *verdict)
{
	const struct nova_mount_options options = {.read_only = true, .recovery_threads = 1};
	struct stores stores = {.observer = {note_site}};
	struct mounted m = {0};
	char why[256];
	bool ok;
	int rc;

	pm_wrap(&m.pm, image, size);
	m.pm.read_only = true;
	m.pm.observer = &stores.observer;
	rc = nova_mount(&m.pm, &options, &m.fs, why, sizeof(why));
	if (rc)
		return wrong(verdict, "mounting it read-only fails: %s (%s)", strerror(-rc), why);
	rc = nova_worker_open(m.fs, &m.worker);
	m.call = (struct nova_call){.worker = m.worker};
	ok = rc == 0 && right_tree(&m, oracle, orphans, verdict);
	if (m.worker)
		nova_worker_close(m.worker);
	nova_unmount(m.fs);
	if (stores.site)
		return wrong(verdict, "a read-only mount stores at %s", stores.site);
	return ok;
}

static bool verify_mounted(struct images *images, uint8_t *image, const struct oracle *oracle, struct trace *recovery,
                           uint64_t orphans, struct verdict *verdict)
{
	struct check_report report;
	struct mounted m;
	bool ok;

	if (!mount_image(&m, images, image, recovery, verdict))
		return false;
	ok =
	    right_tree(&m, oracle, orphans, verdict) && nothing_lost(&m, image, verdict) && usable(&m, oracle, verdict);
	if (ok && !right_outcomes(&m, oracle, m.right->done))
		ok = wrong(verdict, "what a repeated request is told changes after the mount");
	unmount_image(&m);
	return ok && consistent(image, images->work.size, "after use and unmount", &report, verdict);
}

bool verify_image(struct images *images, uint8_t *image, const struct oracle *oracle, struct images *deep,
                  struct verdict *verdict, uint64_t *deep_images)
{
	static struct sparse crashed;
	struct check_report report;
	static unsigned turn;
	struct trace recovery;
	bool ok;

	verdict->text[0] = '\0';
	if (!consistent(image, images->work.size, "after the crash", &report, verdict))
		return false;
	if (turn++ % READ_ONLY_EVERY == 0 &&
	    !read_only_shows_it(image, images->work.size, oracle, report.orphans, verdict))
		return false;
	if (!deep)
		return verify_mounted(images, image, oracle, NULL, report.orphans, verdict);
	if (!crashed.base)
		sparse_init(&crashed, images->work.room);
	sparse_copy(&crashed, &images->work);
	trace_init(&recovery, NULL);
	ok = verify_mounted(images, image, oracle, &recovery, report.orphans, verdict) &&
	     survives_second_crash(deep, &crashed, &recovery, oracle, verdict, deep_images);
	trace_free(&recovery);
	return ok;
}

void verify_show(const struct sparse *image, const struct oracle *oracle)
{
	struct listing now = {0};
	struct verdict verdict = {0};
	struct images images;
	struct mounted m;

	images_init(&images, image);
	if (!mount_image(&m, &images, images.work.base, NULL, &verdict)) {
		printf("    %s\n", verdict.text);
		images_free(&images);
		return;
	}
	snapshot_take(&now, &m.call, nova_root(m.fs));
	for (unsigned i = 0; i < oracle->count; i++) {
		printf("  against right tree %u of %u, with %llu inodes without a name:\n", i + 1, oracle->count,
		       (unsigned long long)oracle->right[i].orphans);
		listing_print_difference(stdout, "right", oracle->right[i].tree, "now", &now);
	}
	unmount_image(&m);
	listing_free(&now);
	images_free(&images);
}
