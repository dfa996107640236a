/*
 * images.c -- makes the images a crash may leave.
 */
#include "tests/crash/images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATOM 8u

static void *grown(void *array, size_t needed, size_t *room, size_t size)
{
	if (needed <= *room)
		return array;
	*room = needed > *room * 2 ? needed : *room * 2;
	array = reallocarray(array, *room, size);
	if (!array) {
		fprintf(stderr, "images: out of memory\n");
		abort();
	}
	return array;
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory) {
		fprintf(stderr, "images: out of memory\n");
		abort();
	}
	return memory;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t next_random(uint64_t *state)
{
	return mix(*state += 0x9e3779b97f4a7c15ULL);
}

/* An image's hash is the sum over its atoms, so that it can be kept up to date as atoms change. */
static uint64_t atom_hash(uint64_t offset, uint64_t value)
{
	return mix(mix(offset + 0x9e3779b97f4a7c15ULL) ^ value);
}

static uint64_t load(const uint8_t *image, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, image + offset, ATOM);
	return value;
}

static void store(struct sparse *image, uint64_t offset, uint64_t value)
{
	sparse_note(image, offset, ATOM);
	memcpy(image->base + offset, &value, ATOM);
}

void images_init(struct images *images, const struct sparse *initial)
{
	memset(images, 0, sizeof(*images));
	sparse_init(&images->durable, initial->room);
	sparse_init(&images->work, initial->room);
	images_reset(images, initial);
}

void images_free(struct images *images)
{
	sparse_free(&images->durable);
	sparse_free(&images->work);
	free(images->pending);
	free(images->touched);
	free(images->seen);
	memset(images, 0, sizeof(*images));
}

void images_reset(struct images *images, const struct sparse *initial)
{
	sparse_copy(&images->durable, initial);
	sparse_copy(&images->work, initial);
	images->hash = 0;
	images->pending_count = 0;
	images->touched_count = 0;
	images_forget(images);
}

void images_copy(struct images *copy, const struct images *images)
{
	images_reset(copy, &images->durable);
	copy->hash = images->hash;
	copy->lines = images->lines;
	copy->pending = grown(copy->pending, images->pending_count, &copy->pending_room, sizeof(*copy->pending));
	copy->pending_count = images->pending_count;
	if (images->pending_count)
		memcpy(copy->pending, images->pending, images->pending_count * sizeof(*copy->pending));
}

/* ---- the model ---------------------------------------------------------------------------------- */

static bool mutated(const struct images *images, enum image_mutation mutation, const struct trace_event *event)
{
	return images->mutation == mutation && strcmp(images->mutated_site, event->site) == 0;
}

static void add_atom(struct images *images, uint64_t offset, uint64_t value, uint64_t flushed_by)
{
	images->pending =
	    grown(images->pending, images->pending_count + 1, &images->pending_room, sizeof(*images->pending));
	images->pending[images->pending_count++] = (struct image_atom){offset, value, flushed_by, images->lines};
}

static void add_store(struct images *images, const struct trace *trace, const struct trace_event *event)
{
	bool streamed = event->type != PM_EV_SET8 && !mutated(images, IMAGE_NO_FLUSH, event);
	uint64_t flushed_by = streamed ? 1ULL << event->thread : 0;

	if (event->offset % ATOM || event->length % ATOM || event->offset + event->length > images->durable.size) {
		fprintf(stderr, "images: store of %llu bytes at %llu by %s is not of whole atoms in the pool\n",
		        (unsigned long long)event->length, (unsigned long long)event->offset, event->site);
		abort();
	}
	for (uint64_t at = 0; at < event->length; at += ATOM) {
		uint64_t value = event->type == PM_EV_ZERO ? 0 : load(trace->data + event->data, at);

		if (at == 0 || (event->offset + at) % PM_LINE == 0)
			images->lines++;
		add_atom(images, event->offset + at, value, flushed_by);
	}
}

static void flush(struct images *images, const struct trace_event *event)
{
	uint64_t first = event->offset / PM_LINE, last = (event->offset + event->length - 1) / PM_LINE;

	if (event->length == 0 || mutated(images, IMAGE_NO_FLUSH, event))
		return;
	for (size_t i = 0; i < images->pending_count; i++) {
		struct image_atom *atom = &images->pending[i];

		if (atom->offset / PM_LINE >= first && atom->offset / PM_LINE <= last)
			atom->flushed_by |= 1ULL << event->thread;
	}
}

static void make_durable(struct images *images, const struct image_atom *atom)
{
	uint64_t old = load(images->durable.base, atom->offset);

	images->hash += atom_hash(atom->offset, atom->value) - atom_hash(atom->offset, old);
	store(&images->durable, atom->offset, atom->value);
	store(&images->work, atom->offset, atom->value);
}

/* Of each offset that a fence makes durable, the number of the last store. */
struct overtakers {
	struct {
		uint64_t offset;
		size_t last; /* counted from 1 */
	} * place;
	size_t mask;
};

static size_t place_of(const struct overtakers *overtakers, uint64_t offset)
{
	size_t i = (size_t)mix(offset) & overtakers->mask;

	while (overtakers->place[i].last && overtakers->place[i].offset != offset)
		i = (i + 1) & overtakers->mask;
	return i;
}

/* Whether a store is void, since a later one to the same atom is durable. */
static bool overtaken(const struct overtakers *overtakers, uint64_t offset, size_t at)
{
	return overtakers->place[place_of(overtakers, offset)].last > at + 1;
}

/* False: there are none. */
static bool find_overtakers(const struct images *images, uint64_t bit, struct overtakers *overtakers)
{
	size_t count = 0;

	for (size_t i = 0; i < images->pending_count; i++)
		count += (images->pending[i].flushed_by & bit) != 0;
	if (count == 0)
		return false;
	overtakers->mask = 1;
	while (overtakers->mask < count * 2)
		overtakers->mask = overtakers->mask * 2 + 1;
	overtakers->place = allocate(overtakers->mask + 1, sizeof(*overtakers->place));
	for (size_t i = 0; i < images->pending_count; i++)
		if (images->pending[i].flushed_by & bit) {
			size_t place = place_of(overtakers, images->pending[i].offset);

			overtakers->place[place].offset = images->pending[i].offset;
			overtakers->place[place].last = i + 1;
		}
	return true;
}

static void fence(struct images *images, const struct trace_event *event)
{
	uint64_t bit = 1ULL << event->thread;
	size_t kept = 0;
	struct overtakers overtakers;

	if (mutated(images, IMAGE_NO_FENCE, event) || !find_overtakers(images, bit, &overtakers))
		return;
	for (size_t i = 0; i < images->pending_count; i++)
		if (images->pending[i].flushed_by & bit)
			make_durable(images, &images->pending[i]);
	for (size_t i = 0; i < images->pending_count; i++)
		if (!(images->pending[i].flushed_by & bit) && !overtaken(&overtakers, images->pending[i].offset, i))
			images->pending[kept++] = images->pending[i];
	images->pending_count = kept;
	free(overtakers.place);
}

void images_step(struct images *images, const struct trace *trace, const struct trace_event *event)
{
	switch (event->type) {
	case PM_EV_COPY:
	case PM_EV_ZERO:
	case PM_EV_SET8:
		add_store(images, trace, event);
		break;
	case PM_EV_FLUSH:
		flush(images, event);
		break;
	case PM_EV_FENCE:
		fence(images, event);
		break;
	}
}

/* ---- images ------------------------------------------------------------------------------------- */

/* The pending stores that matter, in program order, and the units they are taken by. */
struct image_choice {
	struct image_atom *atoms;
	size_t count;
	uint8_t *taken; /* by atom */
	size_t *unit;   /* by atom: its unit */
	size_t units;
	size_t line_units;
	size_t *line_unit; /* by atom */
	size_t *tried;     /* the units to be tried one by one */
	size_t tried_count;
};

struct attempt {
	struct images *images;
	struct image_choice *choice;
	bool (*try)(void *context, uint8_t *image, const char *family);
	void *context;
	uint64_t *made;
};

static int compare_atoms(const void *a, const void *b)
{
	const struct image_atom *const *x = a, *const *y = b;

	if ((*x)->offset != (*y)->offset)
		return (*x)->offset < (*y)->offset ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

/* Leave out stores that change nothing whether they arrive or not: of the same value as what they overwrite. */
static void choose_atoms(const struct images *images, struct image_choice *choice)
{
	const struct image_atom **order = allocate(images->pending_count, sizeof(struct image_atom *));
	uint8_t *idle = allocate(images->pending_count, 1);

	for (size_t i = 0; i < images->pending_count; i++)
		order[i] = &images->pending[i];
	qsort(order, images->pending_count, sizeof(*order), compare_atoms);
	for (size_t i = 0; i < images->pending_count; i++) {
		bool first = i == 0 || order[i - 1]->offset != order[i]->offset;
		uint64_t before = first ? load(images->durable.base, order[i]->offset) : order[i - 1]->value;

		idle[order[i] - images->pending] = before == order[i]->value;
	}
	choice->atoms = allocate(images->pending_count, sizeof(*choice->atoms));
	for (size_t i = 0; i < images->pending_count; i++)
		if (!idle[i])
			choice->atoms[choice->count++] = images->pending[i];
	free(order);
	free(idle);
}

static void choose_units(struct image_choice *choice, const struct image_limits *limits, uint64_t *random)
{
	choice->taken = allocate(choice->count, 1);
	choice->unit = allocate(choice->count, sizeof(*choice->unit));
	choice->line_unit = allocate(choice->count, sizeof(*choice->line_unit));
	for (size_t i = 0; i < choice->count; i++) {
		if (i > 0 && choice->atoms[i].line != choice->atoms[i - 1].line)
			choice->line_units++;
		choice->line_unit[i] = choice->line_units;
		choice->unit[i] = i;
	}
	choice->line_units += choice->count > 0;
	choice->units = choice->count;
	if (choice->count > limits->atoms) {
		memcpy(choice->unit, choice->line_unit, choice->count * sizeof(*choice->unit));
		choice->units = choice->line_units;
	}
	choice->tried = allocate(choice->units, sizeof(*choice->tried));
	for (size_t i = 0; i < choice->units; i++)
		choice->tried[i] = i;
	choice->tried_count = choice->units;
	if (choice->count <= limits->atoms || choice->units <= limits->lines)
		return;
	/* The last ones are the likeliest to commit something; the rest is drawn. */
	for (size_t i = 0; i < limits->lines; i++) {
		size_t j =
		    i < limits->lines / 4 ? choice->units - 1 - i : i + next_random(random) % (choice->units - i);
		size_t t = choice->tried[i];

		choice->tried[i] = choice->tried[j];
		choice->tried[j] = t;
	}
	choice->tried_count = limits->lines;
}

static void free_choice(struct image_choice *choice)
{
	free(choice->atoms);
	free(choice->taken);
	free(choice->unit);
	free(choice->line_unit);
	free(choice->tried);
}

/* True the first time. */
static bool is_new(struct images *images, uint64_t hash)
{
	uint64_t key = hash ? hash : 1;
	size_t i;

	if (images->seen_count * 2 >= images->seen_mask) {
		size_t mask = images->seen_mask ? images->seen_mask * 2 + 1 : 1023;
		uint64_t *set = allocate(mask + 1, sizeof(*set));

		for (size_t k = 0; images->seen && k <= images->seen_mask; k++) {
			if (!images->seen[k])
				continue;
			for (i = images->seen[k] & mask; set[i]; i = (i + 1) & mask)
				continue;
			set[i] = images->seen[k];
		}
		free(images->seen);
		images->seen = set;
		images->seen_mask = mask;
	}
	for (i = key & images->seen_mask; images->seen[i]; i = (i + 1) & images->seen_mask)
		if (images->seen[i] == key)
			return false;
	images->seen[i] = key;
	images->seen_count++;
	return true;
}

static void restore(struct images *images, const struct image_choice *choice)
{
	for (size_t i = 0; i < choice->count; i++)
		if (choice->taken[i])
			store(&images->work, choice->atoms[i].offset,
			      load(images->durable.base, choice->atoms[i].offset));
	for (size_t i = 0; i < images->touched_count; i++)
		memcpy(images->work.base + images->touched[i].offset, images->durable.base + images->touched[i].offset,
		       images->touched[i].length);
	images->touched_count = 0;
}

/* Make the image of the atoms taken and try it. */
static bool attempt(const struct attempt *a, const char *family)
{
	struct images *images = a->images;
	struct image_choice *choice = a->choice;
	uint64_t hash = images->hash;
	bool go_on = true;

	for (size_t i = 0; i < choice->count; i++) {
		const struct image_atom *atom = &choice->atoms[i];

		if (!choice->taken[i])
			continue;
		hash += atom_hash(atom->offset, atom->value) -
		        atom_hash(atom->offset, load(images->work.base, atom->offset));
		store(&images->work, atom->offset, atom->value);
	}
	if (a->made)
		(*a->made)++;
	images->current = choice;
	images->attempted = hash;
	if (is_new(images, hash))
		go_on = a->try(a->context, images->work.base, family);
	images->current = NULL;
	restore(images, choice);
	return go_on;
}

static bool try_prefixes(const struct attempt *a)
{
	struct image_choice *choice = a->choice;

	memset(choice->taken, 0, choice->count);
	for (size_t i = 0; i < choice->count; i++) {
		bool wanted = i == 0;

		/* A prefix ends before unit u for every u that is tried. */
		for (size_t k = 0; k < choice->tried_count && !wanted; k++)
			wanted = choice->tried[k] == choice->unit[i] && choice->unit[i - 1] != choice->unit[i];
		if (wanted && !attempt(a, "prefix"))
			return false;
		choice->taken[i] = 1;
	}
	return attempt(a, "all");
}

static bool try_alone(const struct attempt *a)
{
	struct image_choice *choice = a->choice;

	for (size_t k = 0; k < choice->tried_count; k++) {
		for (size_t i = 0; i < choice->count; i++)
			choice->taken[i] = choice->unit[i] == choice->tried[k];
		if (!attempt(a, "alone"))
			return false;
		for (size_t i = 0; i < choice->count; i++)
			choice->taken[i] = !choice->taken[i];
		if (!attempt(a, "all but one"))
			return false;
	}
	return true;
}

/* Of all densities: few stores arrived, half of them, nearly all. */
static void take_atoms(struct image_choice *choice, uint64_t *random)
{
	unsigned threshold = 1 + (unsigned)(next_random(random) % 15);

	for (size_t i = 0; i < choice->count; i++)
		choice->taken[i] = next_random(random) % 16 < threshold;
}

static void take_lines(struct image_choice *choice, uint64_t *random)
{
	uint8_t *lines = allocate(choice->line_units, 1);

	for (size_t i = 0; i < choice->line_units; i++)
		lines[i] = next_random(random) & 1;
	for (size_t i = 0; i < choice->count; i++)
		choice->taken[i] = lines[choice->line_unit[i]];
	free(lines);
}

static bool try_subsets(const struct attempt *a, const struct image_limits *limits, uint64_t *random)
{
	struct image_choice *choice = a->choice;
	bool go_on = true;

	for (size_t n = 0; go_on && n < limits->atom_subsets; n++) {
		take_atoms(choice, random);
		go_on = attempt(a, "subset of atoms");
	}
	for (size_t n = 0; go_on && n < limits->line_subsets; n++) {
		take_lines(choice, random);
		go_on = attempt(a, "subset of lines");
	}
	return go_on;
}

bool images_each(struct images *images, const struct image_limits *limits,
                 bool (*try)(void *context, uint8_t *image, const char *family), void *context, uint64_t *made)
{
	uint64_t random = limits->seed ^ images->hash;
	struct image_choice choice = {0};
	struct attempt a = {images, &choice, try, context, made};
	bool go_on;

	choose_atoms(images, &choice);
	choose_units(&choice, limits, &random);
	go_on = try_prefixes(&a) && try_alone(&a);
	if (go_on && choice.count > 2)
		go_on = try_subsets(&a, limits, &random);
	free_choice(&choice);
	return go_on;
}

/* ---- one image --------------------------------------------------------------------------------- */

/* What the families have that are not subsets: [first, last) of the atoms, or all others. */
static void take_range(struct image_choice *choice, size_t first, size_t last, bool others)
{
	for (size_t i = 0; i < choice->count; i++)
		choice->taken[i] = (i >= first && i < last) != others;
}

static const char *draw(struct image_choice *choice, uint64_t *random)
{
	size_t one = choice->count ? next_random(random) % choice->count : 0;

	switch (next_random(random) % 7) {
	case 0:
		take_range(choice, 0, 0, false);
		return "none";
	case 1:
		take_range(choice, 0, 0, true);
		return "all";
	case 2:
		take_range(choice, 0, one, false);
		return "prefix";
	case 3:
		take_range(choice, one, one + 1, false);
		return "alone";
	case 4:
		take_range(choice, one, one + 1, true);
		return "all but one";
	case 5:
		take_atoms(choice, random);
		return "subset of atoms";
	default:
		take_lines(choice, random);
		return "subset of lines";
	}
}

const char *images_crash(struct images *images, uint64_t seed, struct sparse *out)
{
	const struct image_limits by_atoms = {.atoms = SIZE_MAX};
	struct image_choice choice = {0};
	const char *family;

	choose_atoms(images, &choice);
	choose_units(&choice, &by_atoms, &seed);
	family = draw(&choice, &seed);
	for (size_t i = 0; i < choice.count; i++)
		if (choice.taken[i])
			make_durable(images, &choice.atoms[i]);
	for (size_t i = 0; i < images->pending_count; i++)
		store(out, images->pending[i].offset, load(images->durable.base, images->pending[i].offset));
	images->pending_count = 0;
	free_choice(&choice);
	return family;
}

void images_settle(struct images *images)
{
	for (size_t i = 0; i < images->pending_count; i++)
		make_durable(images, &images->pending[i]);
	images->pending_count = 0;
}

/* ---- who tries an image -------------------------------------------------------------------------- */

void images_touched(struct images *images, uint64_t offset, uint64_t length)
{
	sparse_note(&images->work, offset, length);
	images->touched =
	    grown(images->touched, images->touched_count + 1, &images->touched_room, sizeof(*images->touched));
	images->touched[images->touched_count++] = (struct image_range){offset, length};
}

static void watched(struct pm_observer *self, const struct pm_event *event)
{
	struct image_watch *watch = (struct image_watch *)(void *)self;

	if (event->type <= PM_EV_SET8)
		images_touched(watch->images, event->offset, event->length);
}

_Static_assert(offsetof(struct image_watch, observer) == 0, "the observer leads, so that it can be cast back");

struct image_watch images_watch(struct images *images)
{
	return (struct image_watch){{watched}, images};
}

void images_rebuild(const struct images *images, struct sparse *out)
{
	sparse_copy(out, &images->durable);
	for (size_t i = 0; i < images->current->count; i++)
		if (images->current->taken[i])
			store(out, images->current->atoms[i].offset, images->current->atoms[i].value);
}

void images_forget(struct images *images)
{
	if (images->seen)
		memset(images->seen, 0, (images->seen_mask + 1) * sizeof(*images->seen));
	images->seen_count = 0;
}

bool images_intact(const struct images *images)
{
	uint64_t where;

	return sparse_equal(&images->work, &images->durable, &where);
}

void images_store_pending(const struct images *images, struct sparse *out)
{
	sparse_copy(out, &images->durable);
	for (size_t i = 0; i < images->pending_count; i++)
		store(out, images->pending[i].offset, images->pending[i].value);
}
