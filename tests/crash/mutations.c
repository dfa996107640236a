/*
 * mutations.c -- leaves out flushes, fences and streaming stores from recorded traces, by their place in the source.
 */
#include "tests/crash/mutations.h"

#include "tests/crash/crash_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUTATIONS_MAX 512

struct mutation {
	const char *site;
	enum image_mutation kind;
	bool missed;    /* some image was wrong without it */
	unsigned cases; /* in which it was left out in vain */
};

struct mutations {
	struct mutation list[MUTATIONS_MAX];
	size_t count;
	bool verbose;
};

/*
 * Calls whose absence no crash of one operation can show, with the reason why they are there all the same. A call is
 * named by its line of source and the one after it, so that the list outlives changes elsewhere in the file.
 */
static const struct {
	enum image_mutation kind;
	const char *file;
	const char *line;
	const char *next;
	const char *reason;
} expected[] = {
    {IMAGE_NO_FENCE, "server/nova/space/slots.c", "pm_fence(fs->pm);", "}",
     "the creation that follows fences too, but another thread may take a slot of the new chunk and commit before"},
    {IMAGE_NO_FENCE, "server/nova/media/super.c", "pm_fence(pm);", "}",
     "in a mount later fences of the same thread cover it; in an unmount only the next mount's time is lost"},
    {IMAGE_NO_FENCE, "server/nova/log/journal.c", "pm_fence(worker->fs->pm);", "}",
     "in an unmount the fence of the saved state covers it, but there is none where the pool has no room for one"},
    {IMAGE_NO_FENCE, "server/nova/log/journal.c", "pm_fence(fs->pm);", "return 0;",
     "a mount stores nothing there unless a word was damaged, and fences again after the scan"},
    {IMAGE_NO_FENCE, "server/nova/log/journal.c", "pm_fence(fs->pm);",
     "log_info(NOVA_LOG_NAME, \"journal replayed: %u slot words %s\", applied,",
     "the scan's fence covers it, where the scan has one thread"},
    {IMAGE_NO_FLUSH, "server/nova/mount/zones.c", "pm_flush(fs->pm, &first[i], sizeof first[i]);",
     "pm_flush(fs->pm, &second[i], sizeof second[i]);", "the other copy of the chunk table says the same"},
    {IMAGE_NO_FLUSH, "server/nova/mount/zones.c", "pm_flush(fs->pm, &second[i], sizeof second[i]);", "}",
     "the other copy of the chunk table says the same"},
    {IMAGE_NO_FLUSH, "server/nova/mount/zones.c", "pm_flush(fs->pm, first, NOVA_CHUNKS_PER_ZONE * sizeof first[0]);",
     "pm_flush(fs->pm, second, NOVA_CHUNKS_PER_ZONE * sizeof second[0]);",
     "the other copy of the chunk table says the same"},
    {IMAGE_NO_FLUSH, "server/nova/mount/zones.c", "pm_flush(fs->pm, second, NOVA_CHUNKS_PER_ZONE * sizeof second[0]);",
     "}", "the other copy of the chunk table says the same"},
    {IMAGE_NO_FENCE, "server/nova/mount/recover.c", "pm_fence(fs->pm);", "pthread_mutex_lock(&scan->lock);",
     "a mount stores nothing in the scan unless a word was damaged or a process was killed"},
    {IMAGE_NO_FENCE, "server/nova/change/clients.c", "pm_fence(fs->pm);",
     "__atomic_store_n(&client->groups, groups, __ATOMIC_RELAXED);",
     "the commit of the request fences too, but another thread may use the page before"},
    {IMAGE_NO_FENCE, "server/nova/mount/clients_load.c", "pm_fence(load->fs->pm);", "return NULL;",
     "later fences of the same thread cover it, but not the stores of threads that judged beside it"},
    {IMAGE_NO_FLUSH, "server/nova/mount/clients_load.c", "pm_zero(fs->pm, header, sizeof *header);",
     "load->stored = true;", "no case takes the group's page again after that: nova_clients_test does"},
    {IMAGE_NO_FENCE, "server/nova/ops/copy.c", "pm_fence(worker->fs->pm);", "if (rc) {",
     "the thread that commits the copy fences before that; in a server another thread may have prepared it"},
};

static const char *kind_name(enum image_mutation kind)
{
	return kind == IMAGE_NO_FENCE ? "fence" : "flush";
}

static struct mutation *find(struct mutations *mutations, const char *site, enum image_mutation kind)
{
	for (size_t i = 0; i < mutations->count; i++)
		if (mutations->list[i].kind == kind && strcmp(mutations->list[i].site, site) == 0)
			return &mutations->list[i];
	if (mutations->count == MUTATIONS_MAX) {
		fprintf(stderr, "more than %d places that store: raise MUTATIONS_MAX\n", MUTATIONS_MAX);
		abort();
	}
	mutations->list[mutations->count] = (struct mutation){.site = site, .kind = kind};
	return &mutations->list[mutations->count++];
}

static const struct crash_settings quick = {
    .limits = {.atoms = 24, .lines = 12, .atom_subsets = 8, .line_subsets = 4, .seed = 1},
    .kill_every = 1,
    .failures_max = 1,
    .quiet = true,
};

static void leave_out(struct mutations *mutations, const struct crash_case *c, struct mutation *mutation,
                      unsigned (*try)(const struct crash_case *, const struct crash_settings *, struct crash_counts *))
{
	struct crash_settings settings = quick;
	struct crash_counts counts = {0};

	settings.mutation = mutation->kind;
	settings.site = mutation->site;
	mutation->cases++;
	if (try(c, &settings, &counts) == 0)
		return;
	mutation->missed = true;
	if (mutations->verbose)
		printf("%s at %s is missed by %s in %s\n", kind_name(mutation->kind), mutation->site,
		       c->operations[0].operation->name, c->state->name);
}

static struct mutation *of_event(struct mutations *mutations, const struct trace_event *event)
{
	return find(mutations, event->site, event->type == PM_EV_FENCE ? IMAGE_NO_FENCE : IMAGE_NO_FLUSH);
}

/* `first`: where in the trace to look for calls to leave out. A call is left out wherever it occurs in the trace. */
static void try_case(struct mutations *mutations, const struct crash_case *c, size_t first)
{
	const struct trace *trace = &c->world.trace;

	for (size_t i = first; i < c->operations[0].end; i++) {
		const struct trace_event *event = &trace->events[i];
		struct mutation *mutation;
		bool again = false;

		if (event->type == PM_EV_SET8)
			continue;
		for (size_t k = first; k < i && !again; k++)
			again = trace->events[k].site == event->site && trace->events[k].type == event->type;
		if (again)
			continue;
		mutation = of_event(mutations, event);
		if (!mutation->missed)
			leave_out(mutations, c, mutation, crash_case_try);
	}
}

/* ---- what recovery flushes ---- */

struct recovery_sites {
	struct mutations *mutations;
	struct mutation *seen[MUTATIONS_MAX];
	size_t count;
};

static void note_recovery(void *context, const struct trace_event *event)
{
	struct recovery_sites *sites = context;
	struct mutation *mutation;

	if (event->type == PM_EV_SET8)
		return;
	mutation = of_event(sites->mutations, event);
	for (size_t i = 0; i < sites->count; i++)
		if (sites->seen[i] == mutation)
			return;
	sites->seen[sites->count++] = mutation;
}

/* Leave out, one by one, the calls of the mount that comes after a killed process. */
static void try_recovery(struct mutations *mutations, const struct crash_case *c)
{
	static struct recovery_sites sites;
	struct crash_settings settings = quick;
	struct crash_counts counts = {0};

	sites = (struct recovery_sites){.mutations = mutations};
	settings.recovery = note_recovery;
	settings.context = &sites;
	crash_case_kill(c, &settings, &counts);
	for (size_t i = 0; i < sites.count; i++)
		if (!sites.seen[i]->missed)
			leave_out(mutations, c, sites.seen[i], crash_case_kill);
}

/* Operations whose kills leave something in each kind of word that recovery goes by. */
static bool leaves_words(const struct operation *operation)
{
	static const char *const names[] = {"create", "overwrite", "gc-file", "new-slot-chunk", "first-request"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(operation->name, names[i]) == 0)
			return true;
	return false;
}

static void trim(char *line)
{
	size_t blank = strspn(line, " \t");

	line[strcspn(line, "\n")] = '\0';
	memmove(line, line + blank, strlen(line + blank) + 1);
}

/* The line of source that a site names, and the next one; empty if they cannot be read. */
static void source_lines(const char *site, char *line, char *next, int size)
{
	const char *colon = strrchr(site, ':');
	char path[512];
	FILE *f;

	line[0] = next[0] = '\0';
	snprintf(path, sizeof(path), "%s/%.*s", FARNOVA_SOURCE_DIR, (int)(colon - site), site);
	f = fopen(path, "re");
	if (!f)
		return;
	for (int n = atoi(colon + 1); n > 0 && fgets(line, size, f); n--)
		continue;
	if (!fgets(next, size, f))
		next[0] = '\0';
	fclose(f);
	trim(line);
	trim(next);
}

static const char *reason_for(const struct mutation *mutation, const char *line, const char *next)
{
	const char *colon = strrchr(mutation->site, ':');

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (expected[i].kind == mutation->kind &&
		    strlen(expected[i].file) == (size_t)(colon - mutation->site) &&
		    strncmp(expected[i].file, mutation->site, (size_t)(colon - mutation->site)) == 0 &&
		    strcmp(expected[i].line, line) == 0 && strcmp(expected[i].next, next) == 0)
			return expected[i].reason;
	return NULL;
}

static int tell(const struct mutations *mutations)
{
	unsigned missed = 0, expected_count = 0, unexpected = 0;

	for (size_t i = 0; i < mutations->count; i++) {
		const struct mutation *mutation = &mutations->list[i];
		const char *reason;
		char line[256], next[256];

		if (mutation->missed) {
			missed++;
			continue;
		}
		source_lines(mutation->site, line, next, sizeof(line));
		reason = reason_for(mutation, line, next);
		printf("%s: without the %s at %s (%s) no image of %u cases is wrong%s%s\n",
		       reason ? "expected" : "FAIL", kind_name(mutation->kind), mutation->site, line, mutation->cases,
		       reason ? ": " : "", reason ? reason : "");
		if (reason)
			expected_count++;
		else
			unexpected++;
	}
	printf("mutations: %zu left out one by one, %u missed, %u not missed for a known reason, %u not missed\n",
	       mutations->count, missed, expected_count, unexpected);
	return unexpected || mutations->count == 0 ? 1 : 0;
}

static bool wanted(const struct world_state *state, const struct operation *operation, const char *state_name,
                   const char *operation_name)
{
	if (state_name && strcmp(state_name, state->name) != 0)
		return false;
	if ((operation_name && strcmp(operation_name, operation->name) != 0) || (operation->zones && !state->zones))
		return false;
	return !state->long_past && (!operation->long_past || strcmp(state->name, "fresh") == 0);
}

int mutations_try(const char *state, const char *operation, bool verbose)
{
	static struct mutations mutations;

	mutations.verbose = verbose;
	for (size_t s = 0; s < world_state_count; s++)
		for (size_t o = 0; o < operation_count; o++) {
			struct crash_case c = {0};
			bool recorded;

			if (!wanted(&world_states[s], &operations[o], state, operation))
				continue;
			recorded = crash_case_record(&c, &world_states[s], &operations[o], NULL, CRASH_SAME);
			/* The past is the same for all operations in a state: once is enough. */
			if (recorded)
				try_case(&mutations, &c, o == 0 ? 0 : c.operations[0].begin);
			if (recorded && s == 0 && leaves_words(&operations[o]))
				try_recovery(&mutations, &c);
			crash_case_end(&c);
			if (!recorded)
				return 1;
		}
	return tell(&mutations);
}
