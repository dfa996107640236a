/*
 * check_extents.c -- the extents of a file after all its writes and truncations.
 *
 * It sweeps over the beginnings and ends of the runs, with a heap of the open runs, the newest on top. This takes
 * O(n log n) however the runs overlap, so a file of millions of random writes is checked quickly.
 */
#include "common/cleanup.h"
#include "server/pool/check/check_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct edge {
	uint64_t at;
	size_t run;
	bool begins;
};

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return 0;
}

struct heap {
	size_t *runs; /* a heap of indexes; the greatest one, which is the newest run, is on top */
	size_t count;
};

static void heap_push(struct heap *heap, size_t run)
{
	size_t i = heap->count++;

	while (i > 0 && heap->runs[(i - 1) / 2] < run) {
		heap->runs[i] = heap->runs[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap->runs[i] = run;
}

static void heap_pop(struct heap *heap)
{
	size_t run = heap->runs[--heap->count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && heap->runs[child + 1] > heap->runs[child])
			child++;
		if (heap->runs[child] <= run)
			break;
		heap->runs[i] = heap->runs[child];
		i = child;
	}
	heap->runs[i] = run;
}

static uint64_t run_end(const struct check_run *run)
{
	return run->file_block + run->count;
}

int check_extents(const struct check_run *runs, size_t count, void (*emit)(void *context, const struct check_run *run),
                  void *context)
{
	CLEANUP_FREE struct edge *edges = malloc((2 * count + 1) * sizeof(*edges));
	CLEANUP_FREE size_t *open_runs = malloc((count + 1) * sizeof(*open_runs));
	struct heap heap = {.runs = open_runs};
	size_t n = 2 * count;

	if (!edges || !open_runs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		edges[2 * i] = (struct edge){runs[i].file_block, i, true};
		edges[2 * i + 1] = (struct edge){run_end(&runs[i]), i, false};
	}
	qsort(edges, n, sizeof(*edges), compare_edges);
	for (size_t i = 0; i < n;) {
		uint64_t at = edges[i].at;
		const struct check_run *top;

		for (; i < n && edges[i].at == at; i++)
			if (edges[i].begins)
				heap_push(&heap, edges[i].run);
		while (heap.count && run_end(&runs[heap.runs[0]]) <= at)
			heap_pop(&heap);
		if (heap.count == 0 || i == n)
			continue;
		top = &runs[heap.runs[0]];
		if (top->block)
			emit(context, &(struct check_run){at, edges[i].at - at, top->block + (at - top->file_block),
			                                  top->unwritten});
	}
	return 0;
}
