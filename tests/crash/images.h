/*
 * images.h -- what a crash may leave of a pool: from recorded stores to the images that power failure, SIGKILL or a
 * power failure with persistent caches (eADR) could leave.
 *
 * The model is pm.h's. A store is *pending* until it was flushed after it was made, and then fenced by the thread that
 * flushed it; pm_copy and pm_zero are stores that are flushed as they are made. 8 aligned bytes are the atom. At any
 * moment the medium holds everything that is no longer pending and any subset of what is, each atom by itself; of two
 * stores to one atom the later wins where both are in the subset.
 *
 * Families, made just before a fence or at the end of a trace:
 *   prefixes     of the pending stores in program order: what SIGKILL leaves, or power failure with eADR
 *   none, all
 *   alone        each pending store without the others
 *   all but one  all without each
 *   subsets      at random, seeded
 * Atoms are the unit where there are few of them; beyond that lines are, and random atoms.
 */
#ifndef FARNOVA_TESTS_CRASH_IMAGES_H
#define FARNOVA_TESTS_CRASH_IMAGES_H

#include "tests/crash/sparse.h"
#include "tests/crash/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One atom that was stored and may not be on the medium yet. */
struct image_atom {
	uint64_t offset;
	uint64_t value;      /* bytes as stored */
	uint64_t flushed_by; /* bit per thread that flushed it since */
	size_t line;         /* atoms of one store to one line share it */
};

/* A change to the trace: what if this call were missing in the source? */
enum image_mutation { IMAGE_AS_IS, IMAGE_NO_FLUSH, IMAGE_NO_FENCE };

struct images {
	struct sparse durable; /* everything that is not pending */
	struct sparse work;    /* equal to durable but while an image is tried */
	uint64_t hash;         /* of durable, relative to the start */
	struct image_atom *pending;
	size_t pending_count, pending_room;
	size_t lines; /* numbers given to image_atom.line */

	enum image_mutation mutation;
	const char *mutated_site;

	/* atoms of `work` to be taken from `durable` again, and ranges */
	struct image_range {
		uint64_t offset, length;
	} * touched;
	size_t touched_count, touched_room;

	uint64_t attempted;                 /* hash of the image being tried, relative to the start */
	const struct image_choice *current; /* what the image being tried is made of */

	uint64_t *seen; /* open addressing set of hashes of images tried */
	size_t seen_count, seen_mask;
};

/* How many images to make at one point. */
struct image_limits {
	size_t atoms;        /* up to so many pending atoms, each is tried by itself */
	size_t lines;        /* beyond that, so many lines */
	size_t atom_subsets; /* random ones, by atoms */
	size_t line_subsets; /* random ones, by lines */
	uint64_t seed;
};

/* images_init -- start from `initial`, which is durable as a whole. Aborts without memory. */
void images_init(struct images *images, const struct sparse *initial);
void images_free(struct images *images);
/* images_reset -- start anew from `initial`, for which there is room, with nothing tried. */
void images_reset(struct images *images, const struct sparse *initial);
/* images_copy -- bring `copy`, which has room for it, into the same state, with nothing tried. */
void images_copy(struct images *copy, const struct images *images);

/* images_step -- take one event of a trace into account. */
void images_step(struct images *images, const struct trace *trace, const struct trace_event *event);

/*
 * images_each -- make the images that a crash at this moment may leave and call `try` with each in images->work, unless
 * an equal one was tried since images_forget. `try` may change the image if it tells what it changes by images_touched;
 * it returns false to stop. False if it did. `made` (may be NULL) is increased by the number of images made, tried
 * or not.
 */
bool images_each(struct images *images, const struct image_limits *limits,
                 bool (*try)(void *context, uint8_t *image, const char *family), void *context, uint64_t *made);

/*
 * images_crash -- a crash leaves one image, drawn by `seed` from all families: it is durable now, nothing is pending, and
 * `out`, which the running program has stored to, is equal to it. Returns the family. images_settle -- nothing is lost:
 * all that is pending becomes durable.
 */
const char *images_crash(struct images *images, uint64_t seed, struct sparse *out);
void images_settle(struct images *images);

/* images_touched -- bytes of images->work are changed and must be restored. */
void images_touched(struct images *images, uint64_t offset, uint64_t length);

/* Tells images_touched of what is stored through a struct pm: pm->observer = &watch.observer. */
struct image_watch {
	struct pm_observer observer;
	struct images *images;
};
struct image_watch images_watch(struct images *images);

/* images_rebuild -- while `try` runs: the image as it was given to it, into `out`. */
void images_rebuild(const struct images *images, struct sparse *out);

/* images_forget -- begin a new set of images tried. */
void images_forget(struct images *images);

/* images_intact -- whether images->work has been restored wholly: false means somebody stored unseen. */
bool images_intact(const struct images *images);

/* images_store_pending -- store everything pending into `out`, which then is what the running program sees. */
void images_store_pending(const struct images *images, struct sparse *out);

#endif
