/*
 * cred.c -- the credentials of a session, by number. Root is squashed here only.
 */
#include "server/state/cred.h"

#include "proto/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t squashed(bool squash, uint32_t id)
{
	return squash && id == 0 ? CRED_SQUASHED : id;
}

static int make_room(struct cred_table *table, uint32_t number)
{
	if (number < table->size)
		return 0;
	size_t size = table->size ? table->size : 16;
	while (size <= number)
		size *= 2;
	struct nova_cred **by_number = realloc(table->by_number, size * sizeof(struct nova_cred *));
	if (!by_number)
		return -ENOMEM;
	memset(by_number + table->size, 0, (size - table->size) * sizeof(struct nova_cred *));
	table->by_number = by_number;
	table->size = size;
	return 0;
}

int cred_set(struct cred_table *table, uint32_t number, bool squash, uint32_t uid, uint32_t gid, uint32_t group_count,
             const uint32_t *groups)
{
	if (number > CRED_MAX_NUMBER)
		return -EINVAL;
	int rc = make_room(table, number);
	if (rc < 0)
		return rc;
	if (!table->by_number[number] && table->count >= PROTO_MAX_CREDS)
		return -ENOSPC;

	struct nova_cred *cred = malloc(sizeof(*cred) + group_count * sizeof(uint32_t));
	if (!cred)
		return -ENOMEM;
	uint32_t *copy = (uint32_t *)(void *)(cred + 1);
	for (uint32_t i = 0; i < group_count; i++)
		copy[i] = squashed(squash, groups[i]);
	*cred = (struct nova_cred){
	    .uid = squashed(squash, uid),
	    .gid = squashed(squash, gid),
	    .group_count = group_count,
	    .groups = copy,
	};
	if (table->by_number[number])
		free(table->by_number[number]);
	else
		table->count++;
	table->by_number[number] = cred;
	return 0;
}

const struct nova_cred *cred_get(const struct cred_table *table, uint32_t number)
{
	return number < table->size ? table->by_number[number] : NULL;
}

void cred_table_free(struct cred_table *table)
{
	for (size_t i = 0; i < table->size; i++)
		free(table->by_number[i]);
	free(table->by_number);
	*table = (struct cred_table){0};
}
