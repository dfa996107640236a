/*
 * repair_fixture.h -- a pool with one of everything to damage, and what a repaired pool must be.
 */
#ifndef TESTS_UNIT_SERVER_POOL_REPAIR_FIXTURE_H
#define TESTS_UNIT_SERVER_POOL_REPAIR_FIXTURE_H

#include "server/nova/clients.h"
#include "server/nova/media/format.h"
#include "server/pool/repair/repair.h"
#include "tests/support/nova_fixture.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZE         (12 * MIB)
#define NAMES        100 /* that were made in `dir` */
#define CLIENT       77u /* its last request made a file; it has `key` */
#define CONTENT_SIZE sizeof("what must stay")

/* The pool as it was unmounted. A test damages a copy of it, in f.memory. */
extern uint8_t *whole;
extern struct fixture f;
extern struct nova_handle root, dir, sub, file, small, linked, target, device, pairs;
extern const char content[CONTENT_SIZE]; /* of `small` and `linked` */
extern const uint8_t key[NOVA_CLIENT_KEY];

/* What the newest repair has reported. */
extern struct told {
	char found[8192];
	char repaired[8192];
	char left[8192];
} told;

/* For cmocka. */
int repair_set_up(void **state);
int repair_tear_down(void **state);

/* renew -- begin with an undamaged copy. */
void renew(void);

/* make_client -- a client, CLIENT, whose last request makes a file of this name. */
void make_client(const char *name);

/* block, slot, head_page, next_page -- places in the copy. ruin -- damage what is there. seal -- give the entry, which
 * was changed, the CRC that it has to have at its place. */
void *block(uint64_t number);
struct nova_slot *slot(struct nova_handle handle);
struct nova_page *head_page(struct nova_handle handle);
struct nova_page *next_page(const struct nova_page *page);
void ruin(void *at, size_t length);
void seal(struct nova_entry *entry, struct nova_handle handle, uint64_t position);

/* repair_with -- the result of pool_repair. */
int repair_with(struct pm_observer *observer);

/* repaired -- repair all. One of the repairs has these words. Then the pool is consistent, and is mounted when this
 * returns. end_repaired -- the test is through with it. */
void repaired(const char *words);
void end_repaired(void);

/* read_all -- mount the pool and read everything; nothing of it may fail. survives_a_crash -- crash, and do so again: old
 * records of the journal, which may say more than the repaired logs have, are not replayed later. */
void read_all(void);
void survives_a_crash(void);

/* there -- whether there is such a name. assert_content -- there is, and it leads to a file with `content`. adopted --
 * the attributes of what lost+found has for an inode, which must be there. */
bool there(struct nova_handle at, const char *name, struct nova_attr *attr);
void assert_content(struct nova_handle at, const char *name);
struct nova_attr adopted(struct nova_handle handle);

#endif
