/*
 * messages.h -- one valid message of each kind, for the tests of the protocol.
 */
#ifndef FARNOVA_TESTS_MESSAGES_H
#define FARNOVA_TESTS_MESSAGES_H

#include "proto/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The handles and the attributes in all messages. */
extern const struct proto_handle dir, file;
extern const struct proto_attr attr;

/* All operations. */
extern const uint16_t request_ops[];
extern const size_t request_op_count;

/* For encoded messages. */
extern uint8_t buffer[PROTO_MAX_MESSAGE], again[PROTO_MAX_MESSAGE];

struct proto_string string(const char *s);

/* fill_request -- a valid request or notice of this operation. */
void fill_request(struct proto_request *q, uint16_t op);

/* fill_reply -- a valid reply; one to READDIR has its entries in `entries` (100 bytes), of which *used are used. */
void fill_reply(struct proto_reply *p, uint16_t op, uint8_t *entries, size_t *used);

/* is_one_of_ours -- whether the handle is `dir` or `file`. handles_in -- how often these two are in the bytes. */
bool is_one_of_ours(const struct proto_handle *h);
unsigned handles_in(const uint8_t *bytes, size_t length);

#endif
