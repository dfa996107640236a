/*
 * repair.c -- rounds of checking and repairing, until nothing is found or nothing more can be done.
 */
#include "server/pool/repair/repair_internal.h"

#include "common/clock.h"

#include <errno.h>

/* Each round repairs some errors, which may show others. If a pool needs more rounds, errors are left. */
#define ROUNDS_MAX 200

static bool apply(struct repair *r, const struct check_fix *fix, bool last_resort)
{
	/* All but a copied word may take back, or let pass, what an intent in the table is judged by. */
	if (fix->kind != FIX_WORDS && repair_clients(r, r->check->clients) && fix->ino == r->check->clients)
		return true;
	switch (fix->kind) {
	case FIX_WORDS:
		return repair_words(r, fix->ino);
	case FIX_LIFE:
		return repair_life(r, fix->ino);
	case FIX_LOG:
		return repair_log(r, fix->ino, fix->a);
	case FIX_ENTRY:
		return repair_log_entry(r, fix->ino, fix->a);
	case FIX_EPOCH:
		return repair_epoch(r, fix->a);
	case FIX_HEADER:
		return repair_header(r, fix->ino, last_resort);
	case FIX_HOLE:
		return repair_hole(r, fix->ino, fix->a, fix->b);
	case FIX_REMOVE:
		return repair_remove(r, fix->ino, "it is a symlink without a target");
	case FIX_TRUNCATE:
		return repair_truncate(r, fix->ino);
	case FIX_ZERO:
		return repair_zero(r, fix->ino, fix->a, fix->b);
	case FIX_ATTR:
		return repair_attr(r, fix->ino);
	case FIX_ROOT:
		return repair_root(r, fix->ino);
	case FIX_CLIENTS:
		return repair_clients(r, fix->ino);
	case FIX_DROP_NAME:
		return repair_drop_name(r, fix->ino, fix->a, fix->b);
	case FIX_RETYPE:
		return repair_retype(r, fix->ino, fix->a, fix->b, (uint8_t)fix->c);
	case FIX_PARENT:
		return repair_parent(r, fix->ino, fix->a);
	case FIX_NLINK:
		return repair_nlink(r, fix->ino, (uint32_t)fix->a);
	case FIX_ADOPT:
		return repair_adopt(r, fix->ino, fix->a);
	}
	return false;
}

/* Whether the same fix is already in the list: one fix repairs all findings of the same kind and place. */
static bool asked_before(const struct check *check, size_t i)
{
	const struct check_fix *fix = &check->fixes[i];

	for (size_t k = i; k-- > 0 && i - k < 64;)
		if (check->fixes[k].kind == fix->kind && check->fixes[k].ino == fix->ino && check->fixes[k].a == fix->a)
			return true;
	return false;
}

/* Apply all fixes of one kind; true if any did something. */
static bool apply_kind(struct repair *r, enum check_fix_kind kind, bool last_resort)
{
	bool done = false;

	for (size_t i = 0; i < r->check->fix_count; i++)
		if (r->check->fixes[i].kind == kind && !asked_before(r->check, i))
			done |= apply(r, &r->check->fixes[i], last_resort);
	return done;
}

/* Apply the first kind of fix that does something. */
static bool apply_first(struct repair *r)
{
	for (int kind = FIX_WORDS; kind <= FIX_ADOPT; kind++) {
		r->map_good = kind >= FIX_HOLE;
		if (apply_kind(r, (enum check_fix_kind)kind, false))
			return true;
		if (kind == FIX_HEADER && apply_kind(r, FIX_HEADER, true))
			return true;
	}
	return false;
}

static void report_progress(struct check_report *report, const char *what, uint64_t done, uint64_t total)
{
	struct repair_report *to = report->context;

	if (to->progress)
		to->progress(to, what, done, total);
}

/* One check, and the fixes that it allows. 1: something was done; 0: nothing; -errno. */
static int round_of_repair(struct repair *r)
{
	struct check_report *report = &r->report->check;
	struct check check;
	const char *why;
	int rc;

	*report = (struct check_report){.progress = report_progress, .context = r->report};
	rc = check_begin(&check, r->pm->base, r->pm->size, report, &why);
	if (rc)
		return rc == -ENOMEM ? rc : 0;
	check.repairing = true;
	r->check = &check;
	r->cursor = NOVA_PREAMBLE_BLOCKS;
	r->lost_found = 0;
	rc = check_run(&check);
	if (rc == 0 && r->lost && repair_clients(r, check.clients))
		rc = 1;
	else if (rc == 0 && report->errors)
		rc = apply_first(r);
	check_end(&check);
	r->check = NULL;
	return rc;
}

static void report_found(struct check_report *report, const struct check_finding *finding)
{
	struct repair_report *to = report->context;

	if (to->found)
		to->found(to, finding);
}

static void report_left(struct check_report *report, const struct check_finding *finding)
{
	struct repair_report *to = report->context;

	if (to->left)
		to->left(to, finding);
}

/* Whether the pool has a version or features that this program does not know: it would take them for damage. */
static bool unknown(const struct pm *pm)
{
	const uint64_t blocks[2] = {NOVA_SUPER_BLOCK_0, NOVA_SUPER_BLOCK_1};

	for (int i = 0; i < 2 && pm->size / NOVA_BLOCK_SIZE >= NOVA_MIN_POOL_BLOCKS; i++) {
		const struct nova_super *super = pm_at(pm, blocks[i] * NOVA_BLOCK_SIZE);

		if (image_super_valid(super) && (le32_get(super->version) != NOVA_FORMAT_VERSION ||
		                                 le64_get(super->ro_compat) & ~NOVA_KNOWN_RO_COMPAT ||
		                                 le64_get(super->incompat) & ~NOVA_KNOWN_INCOMPAT))
			return true;
	}
	return false;
}

int pool_repair(struct pm *pm, struct repair_report *report)
{
	struct repair r = {.pm = pm, .report = report};
	int rc;

	report->errors = report->repairs = report->unsolved = 0;
	if (unknown(pm))
		return -EPROTONOSUPPORT;
	report->check = (struct check_report){.finding = report_found, .progress = report_progress, .context = report};
	rc = nova_check(pm->base, pm->size, &report->check);
	if (rc <= 0)
		return rc;
	report->errors = report->check.errors;
	r.now = (uint64_t)clock_wall_ns();
	rc = repair_structures(&r);
	if (rc == -ENOMEM)
		return rc;
	for (unsigned i = 0; rc == 0 && i < ROUNDS_MAX; i++) {
		int did = round_of_repair(&r);

		if (did < 0)
			return did;
		if (did == 0)
			break;
	}
	report->check = (struct check_report){.finding = report_left, .progress = report_progress, .context = report};
	rc = nova_check(pm->base, pm->size, &report->check);
	if (rc < 0)
		return rc;
	report->unsolved = report->check.errors;
	return rc ? 2 : 1;
}
