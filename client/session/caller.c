/*
 * caller.c -- the settings of a thread for its calls on a connection.
 *
 * All connections of the process share one thread-specific data key: a process has 1024 keys at most, and they belong
 * to the program.
 */
#include "client/session/caller.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CONNECTIONS 64u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct caller_key **keys; /* by index, NULL: free; guarded by the lock, as the two below */
static uint32_t capacity;
static uint64_t last_serial;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key_of_tables; /* its destructor frees a thread's table */
static int key_error;

struct table {
	uint32_t size;
	struct caller callers[];
};

static _Thread_local struct table *table;

/* free_table -- a thread ends. */
static void free_table(void *argument)
{
	struct table *ending = argument;

	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < ending->size && i < capacity; i++) {
		if (keys[i] && keys[i]->serial == ending->callers[i].serial)
			keys[i]->on_exit(keys[i], &ending->callers[i]);
	}
	pthread_mutex_unlock(&lock);
	table = NULL;
	free(ending);
}

static void make_key(void)
{
	key_error = -pthread_key_create(&key_of_tables, free_table);
}

static int take_index(uint32_t *index)
{
	for (uint32_t i = 0; i < capacity; i++) {
		if (!keys[i]) {
			*index = i;
			return 0;
		}
	}
	uint32_t larger = capacity ? 2 * capacity : FIRST_CONNECTIONS;
	struct caller_key **grown = realloc(keys, larger * sizeof(struct caller_key *));
	if (!grown)
		return -ENOMEM;
	memset(grown + capacity, 0, (larger - capacity) * sizeof(struct caller_key *));
	*index = capacity;
	keys = grown;
	capacity = larger;
	return 0;
}

int caller_attach(struct caller_key *key)
{
	pthread_once(&once, make_key);
	if (key_error)
		return key_error;
	pthread_mutex_lock(&lock);
	int error = take_index(&key->index);
	if (error == 0) {
		keys[key->index] = key;
		key->serial = ++last_serial;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

void caller_detach(struct caller_key *key)
{
	pthread_mutex_lock(&lock);
	keys[key->index] = NULL;
	pthread_mutex_unlock(&lock);
}

struct caller caller_get(const struct caller_key *key)
{
	if (table && key->index < table->size && table->callers[key->index].serial == key->serial)
		return table->callers[key->index];
	return (struct caller){.serial = key->serial};
}

static int grow_table(uint32_t index)
{
	uint32_t old = table ? table->size : 0, size = old ? old : 4;

	while (size <= index)
		size *= 2;
	struct table *grown = realloc(table, sizeof(*grown) + size * sizeof(grown->callers[0]));
	if (!grown)
		return -ENOMEM;
	memset(&grown->callers[old], 0, (size - old) * sizeof(grown->callers[0]));
	grown->size = size;
	table = grown;
	return 0;
}

static int set(const struct caller_key *key, struct caller settings)
{
	int error = table && key->index < table->size ? 0 : grow_table(key->index);

	if (error == 0)
		error = -pthread_setspecific(key_of_tables, table);
	if (error == 0)
		table->callers[key->index] = settings;
	return error;
}

int caller_set(const struct caller_key *key, uint32_t cred, uint32_t umask)
{
	struct caller settings = caller_get(key);

	settings.cred = cred;
	settings.umask = umask;
	return set(key, settings);
}

int caller_set_channel(const struct caller_key *key, uint32_t channel)
{
	struct caller settings = caller_get(key);

	settings.channel = channel;
	return set(key, settings);
}
