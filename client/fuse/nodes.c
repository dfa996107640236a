/*
 * nodes.c -- maps FUSE node ids to the server's handles, for the inodes that the kernel references.
 */
#include "client/fuse/nodes.h"

#include <pthread.h>
#include <stdlib.h>

#define FIRST_BUCKETS 1024 /* a power of two */
#define ROOT_ID       1    /* the kernel's root id; no other inode gets it, since generations begin at 1 */

struct node {
	struct node *next;
	uint64_t id;
	struct farnova_handle handle;
	uint64_t references;
	uint64_t plain_until_ns, plain_state;
	bool filled;
	unsigned writers, recalls;
	uint64_t answered; /* reads of pages during a recall */
};

struct nodes {
	pthread_mutex_t lock;
	struct node root;
	struct node **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
};

static uint64_t mix(uint64_t value)
{
	value *= 0x9e3779b97f4a7c15ULL;
	return value ^ value >> 32;
}

static size_t bucket_of(uint64_t id, size_t bucket_count)
{
	return mix(id) & (bucket_count - 1);
}

static bool same(struct farnova_handle a, struct farnova_handle b)
{
	return a.ino == b.ino && a.generation == b.generation;
}

/* The id is the generation and number, or only a hash in the upper half if the number is too long. */
static bool holds_handle(uint64_t id)
{
	return (uint32_t)id != 0;
}

static uint64_t id_of(struct farnova_handle handle)
{
	if (handle.ino <= UINT32_MAX)
		return (uint64_t)handle.generation << 32 | handle.ino;
	return (mix(mix(handle.ino) + handle.generation) | 1) << 32;
}

struct nodes *nodes_new(struct farnova_handle root)
{
	struct nodes *nodes = calloc(1, sizeof(*nodes));

	if (!nodes)
		return NULL;
	nodes->buckets = calloc(FIRST_BUCKETS, sizeof(*nodes->buckets));
	if (!nodes->buckets) {
		free(nodes);
		return NULL;
	}
	nodes->bucket_count = FIRST_BUCKETS;
	nodes->root.id = ROOT_ID;
	nodes->root.handle = root;
	pthread_mutex_init(&nodes->lock, NULL);
	return nodes;
}

void nodes_free(struct nodes *nodes)
{
	if (!nodes)
		return;
	for (size_t i = 0; i < nodes->bucket_count; i++) {
		while (nodes->buckets[i]) {
			struct node *node = nodes->buckets[i];
			nodes->buckets[i] = node->next;
			free(node);
		}
	}
	free(nodes->buckets);
	pthread_mutex_destroy(&nodes->lock);
	free(nodes);
}

/* Find the node of `id`, or NULL; lock held. */
static struct node *find(struct nodes *nodes, uint64_t id)
{
	if (id == ROOT_ID)
		return &nodes->root;
	struct node *node = nodes->buckets[bucket_of(id, nodes->bucket_count)];
	while (node && node->id != id)
		node = node->next;
	return node;
}

struct farnova_handle nodes_handle(struct nodes *nodes, uint64_t id)
{
	struct farnova_handle handle = {0};

	if (id == ROOT_ID)
		return nodes->root.handle;
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	/* The id of a forgotten node lacks only the seal. The server does not check the seal for the superuser, and
	 * only the superuser opens by handle. */
	if (node)
		handle = node->handle;
	else if (holds_handle(id))
		handle = (struct farnova_handle){.ino = (uint32_t)id, .generation = (uint32_t)(id >> 32)};
	pthread_mutex_unlock(&nodes->lock);
	return handle;
}

bool nodes_is_plain(struct nodes *nodes, uint64_t id, uint64_t now_ns, uint64_t *state)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	bool plain = node && node->plain_until_ns > now_ns;
	*state = node ? node->plain_state : 0;
	pthread_mutex_unlock(&nodes->lock);
	return plain;
}

void nodes_set_plain(struct nodes *nodes, uint64_t id, uint64_t until_ns, uint64_t state)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	if (node && node->plain_state == state)
		node->plain_until_ns = until_ns;
	pthread_mutex_unlock(&nodes->lock);
}

void nodes_set_not_plain(struct nodes *nodes, uint64_t id)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	if (node) {
		node->plain_until_ns = 0;
		node->plain_state++;
	}
	pthread_mutex_unlock(&nodes->lock);
}

void nodes_set_filled(struct nodes *nodes, uint64_t id, bool filled)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	if (node)
		node->filled = filled;
	pthread_mutex_unlock(&nodes->lock);
}

bool nodes_is_filled(struct nodes *nodes, uint64_t id)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	bool filled = node && node->filled;
	pthread_mutex_unlock(&nodes->lock);
	return filled;
}

void nodes_opened(struct nodes *nodes, uint64_t id, int count)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	if (node)
		node->writers += (unsigned)count;
	pthread_mutex_unlock(&nodes->lock);
}

bool nodes_is_open_for_writing(struct nodes *nodes, uint64_t id)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	bool open = node && node->writers > 0;
	pthread_mutex_unlock(&nodes->lock);
	return open;
}

void nodes_recalled(struct nodes *nodes, uint64_t id, int count)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	/* The kernel may have forgotten the node, and looked it up again, in between. */
	if (node && (count > 0 || node->recalls > 0))
		node->recalls += (unsigned)count;
	pthread_mutex_unlock(&nodes->lock);
}

bool nodes_is_recalled(struct nodes *nodes, uint64_t id)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	bool recalled = node && node->recalls > 0;
	if (recalled)
		node->answered++;
	pthread_mutex_unlock(&nodes->lock);
	return recalled;
}

uint64_t nodes_answered(struct nodes *nodes, uint64_t id)
{
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	uint64_t answered = node ? node->answered : 0;
	pthread_mutex_unlock(&nodes->lock);
	return answered;
}

static void grow(struct nodes *nodes)
{
	size_t bucket_count = 2 * nodes->bucket_count;
	struct node **buckets = calloc(bucket_count, sizeof(*buckets));

	if (!buckets)
		return; /* longer chains, still correct */
	for (size_t i = 0; i < nodes->bucket_count; i++) {
		while (nodes->buckets[i]) {
			struct node *node = nodes->buckets[i];
			nodes->buckets[i] = node->next;
			size_t to = bucket_of(node->id, bucket_count);
			node->next = buckets[to];
			buckets[to] = node;
		}
	}
	free(nodes->buckets);
	nodes->buckets = buckets;
	nodes->bucket_count = bucket_count;
}

static struct node *add(struct nodes *nodes, uint64_t id, struct farnova_handle handle)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	size_t bucket = bucket_of(id, nodes->bucket_count);
	*node = (struct node){.next = nodes->buckets[bucket], .id = id, .handle = handle};
	nodes->buckets[bucket] = node;
	if (++nodes->count > nodes->bucket_count)
		grow(nodes);
	return node;
}

/* The node of `handle`, or NULL and the id that is free for it; lock held. */
static struct node *find_handle(struct nodes *nodes, struct farnova_handle handle, uint64_t *id)
{
	*id = id_of(handle);
	struct node *node = find(nodes, *id);

	while (node && !same(node->handle, handle)) { /* hash collision */
		*id += 2ull << 32;
		node = find(nodes, *id);
	}
	return node;
}

uint64_t nodes_find(struct nodes *nodes, struct farnova_handle handle)
{
	uint64_t id;

	if (same(handle, nodes->root.handle))
		return ROOT_ID;
	pthread_mutex_lock(&nodes->lock);
	bool found = find_handle(nodes, handle, &id);
	pthread_mutex_unlock(&nodes->lock);
	return found ? id : 0;
}

static struct node *get_locked(struct nodes *nodes, struct farnova_handle handle)
{
	uint64_t id;
	struct node *node = find_handle(nodes, handle, &id);

	if (!node)
		node = add(nodes, id, handle);
	if (node)
		node->references++;
	return node;
}

uint64_t nodes_get(struct nodes *nodes, struct farnova_handle handle)
{
	if (same(handle, nodes->root.handle))
		return ROOT_ID;
	pthread_mutex_lock(&nodes->lock);
	struct node *node = get_locked(nodes, handle);
	uint64_t id = node ? node->id : 0;
	pthread_mutex_unlock(&nodes->lock);
	return id;
}

static void remove_node(struct nodes *nodes, struct node *node)
{
	struct node **link = &nodes->buckets[bucket_of(node->id, nodes->bucket_count)];

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	nodes->count--;
	free(node);
}

void nodes_forget(struct nodes *nodes, uint64_t id, uint64_t count)
{
	if (id == ROOT_ID)
		return;
	pthread_mutex_lock(&nodes->lock);
	struct node *node = find(nodes, id);
	if (node) {
		node->references -= count < node->references ? count : node->references;
		if (node->references == 0)
			remove_node(nodes, node);
	}
	pthread_mutex_unlock(&nodes->lock);
}
