/*
 * nodes.c -- the inodes the kernel holds references to: between FUSE node ids and the server's handles.
 */
#include "client/fuse/nodes.h"

#include <pthread.h>
#include <stdlib.h>

#define FIRST_BUCKETS 1024 /* a power of two */

struct node {
	struct node *next;
	struct farnova_handle handle;
	uint64_t references;
	_Atomic uint64_t plain_until_ns;
};

struct nodes {
	pthread_mutex_t lock;
	struct node root;
	struct node **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
};

static size_t bucket_of(struct farnova_handle handle, size_t bucket_count)
{
	uint64_t hash = (handle.ino ^ ((uint64_t)handle.generation << 40)) * 0x9e3779b97f4a7c15ULL;

	return (hash >> 32) & (bucket_count - 1);
}

static bool same(struct farnova_handle a, struct farnova_handle b)
{
	return a.ino == b.ino && a.generation == b.generation;
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

static struct node *node_of(const struct nodes *nodes, uint64_t id)
{
	return id == 1 ? (struct node *)&nodes->root : (struct node *)(uintptr_t)id;
}

struct farnova_handle nodes_handle(const struct nodes *nodes, uint64_t id)
{
	return node_of(nodes, id)->handle; /* never changes while the kernel holds the node: no lock */
}

void nodes_set_plain(struct nodes *nodes, uint64_t id, uint64_t until_ns)
{
	node_of(nodes, id)->plain_until_ns = until_ns;
}

bool nodes_is_plain(const struct nodes *nodes, uint64_t id, uint64_t now_ns)
{
	return node_of(nodes, id)->plain_until_ns > now_ns;
}

static void grow(struct nodes *nodes)
{
	size_t bucket_count = 2 * nodes->bucket_count;
	struct node **buckets = calloc(bucket_count, sizeof(*buckets));

	if (!buckets)
		return; /* longer chains, nothing worse */
	for (size_t i = 0; i < nodes->bucket_count; i++) {
		while (nodes->buckets[i]) {
			struct node *node = nodes->buckets[i];
			nodes->buckets[i] = node->next;
			size_t to = bucket_of(node->handle, bucket_count);
			node->next = buckets[to];
			buckets[to] = node;
		}
	}
	free(nodes->buckets);
	nodes->buckets = buckets;
	nodes->bucket_count = bucket_count;
}

static struct node *get_locked(struct nodes *nodes, struct farnova_handle handle)
{
	size_t bucket = bucket_of(handle, nodes->bucket_count);

	for (struct node *node = nodes->buckets[bucket]; node; node = node->next) {
		if (same(node->handle, handle)) {
			node->references++;
			return node;
		}
	}
	struct node *node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	*node = (struct node){.next = nodes->buckets[bucket], .handle = handle, .references = 1};
	nodes->buckets[bucket] = node;
	if (++nodes->count > nodes->bucket_count)
		grow(nodes);
	return node;
}

uint64_t nodes_get(struct nodes *nodes, struct farnova_handle handle)
{
	if (same(handle, nodes->root.handle))
		return 1;
	pthread_mutex_lock(&nodes->lock);
	struct node *node = get_locked(nodes, handle);
	pthread_mutex_unlock(&nodes->lock);
	return (uint64_t)(uintptr_t)node;
}

void nodes_forget(struct nodes *nodes, uint64_t id, uint64_t count)
{
	if (id == 1)
		return;
	struct node *node = node_of(nodes, id);
	pthread_mutex_lock(&nodes->lock);
	node->references -= count < node->references ? count : node->references;
	if (node->references == 0) {
		struct node **link = &nodes->buckets[bucket_of(node->handle, nodes->bucket_count)];
		while (*link != node)
			link = &(*link)->next;
		*link = node->next;
		nodes->count--;
		free(node);
	}
	pthread_mutex_unlock(&nodes->lock);
}
