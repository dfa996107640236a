/*
 * wire.h -- a bounded cursor over a message: the only way to write or read the bytes of one.
 *
 * Each kind of message has one list of its fields, used in both directions: a cursor either encodes or decodes them. A
 * cursor that runs past its end stays failed: later writes have no effect and later reads yield zero, so a function
 * processes all fields and checks once at the end. Encoding does not change the native form.
 *
 * An encoding cursor without a buffer only collects: with `seen` it lists the handles of a message. It uses the same
 * list of fields as the wire, so no handle can be missing.
 */
#ifndef FARNOVA_PROTO_WIRE_H
#define FARNOVA_PROTO_WIRE_H

#include "common/le.h"
#include "proto/proto.h"

#include <assert.h>
#include <string.h>

/* Lists of fields are compiled once for each direction, so that no field tests the direction at run time. */
#define WIRE_FIELDS static inline __attribute__((always_inline))

struct wire {
	uint8_t *at; /* a decoding cursor never writes to it */
	uint8_t *end;
	bool takes;
	bool failed;
	struct proto_handle **seen; /* NULL, or room for PROTO_MAX_HANDLES */
	unsigned seen_count;
};

static inline struct wire wire_puts(void *buffer, size_t size)
{
	return (struct wire){.at = buffer, .end = (uint8_t *)buffer + size};
}

static inline struct wire wire_takes(const void *message, size_t length)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)message;

	return (struct wire){.at = bytes, .end = bytes + length, .takes = true};
}

/* wire_step -- advance by `size` bytes; returns their address, or NULL. */
WIRE_FIELDS uint8_t *wire_step(struct wire *w, size_t size)
{
	if (w->failed || (size_t)(w->end - w->at) < size) {
		w->failed = true;
		return NULL;
	}
	uint8_t *bytes = w->at;
	w->at += size;
	return bytes;
}

WIRE_FIELDS void field_bytes(struct wire *w, void *data, size_t size)
{
	uint8_t *bytes = wire_step(w, size);

	if (w->takes && bytes)
		memcpy(data, bytes, size);
	else if (w->takes)
		memset(data, 0, size);
	else if (bytes && size > 0)
		memcpy(bytes, data, size);
}

WIRE_FIELDS void field_u16(struct wire *w, uint16_t *v)
{
	le16 wire = le16_of(w->takes ? 0 : *v);

	field_bytes(w, &wire, sizeof(wire));
	if (w->takes)
		*v = le16_get(wire);
}

WIRE_FIELDS void field_u32(struct wire *w, uint32_t *v)
{
	le32 wire = le32_of(w->takes ? 0 : *v);

	field_bytes(w, &wire, sizeof(wire));
	if (w->takes)
		*v = le32_get(wire);
}

WIRE_FIELDS void field_u64(struct wire *w, uint64_t *v)
{
	le64 wire = le64_of(w->takes ? 0 : *v);

	field_bytes(w, &wire, sizeof(wire));
	if (w->takes)
		*v = le64_get(wire);
}

WIRE_FIELDS void field_i64(struct wire *w, int64_t *v)
{
	uint64_t bits = w->takes ? 0 : (uint64_t)*v;

	field_u64(w, &bits);
	if (w->takes)
		*v = (int64_t)bits;
}

/* A bool in 32 and in 16 bits. */
WIRE_FIELDS void field_flag(struct wire *w, bool *v)
{
	uint32_t number = w->takes ? 0 : *v;

	field_u32(w, &number);
	if (w->takes)
		*v = number != 0;
}

WIRE_FIELDS void field_short_flag(struct wire *w, bool *v)
{
	uint16_t number = w->takes ? 0 : *v;

	field_u16(w, &number);
	if (w->takes)
		*v = number != 0;
}

/* field_data -- bytes that are not copied on decoding: the result points into the message. */
WIRE_FIELDS void field_data(struct wire *w, const void **data, size_t size)
{
	uint8_t *bytes = wire_step(w, size);

	if (w->takes)
		*data = bytes;
	else if (bytes && size > 0)
		memcpy(bytes, *data, size);
}

/* Handles and strings have the same form in all messages. */

WIRE_FIELDS void field_handle(struct wire *w, struct proto_handle *h)
{
	if (w->seen) {
		assert(w->seen_count < PROTO_MAX_HANDLES);
		w->seen[w->seen_count++] = h;
	}
	field_u64(w, &h->ino);
	field_u32(w, &h->generation);
	field_u64(w, &h->seal);
}

WIRE_FIELDS void field_string(struct wire *w, struct proto_string *s)
{
	const void *data = w->takes ? NULL : s->data;

	field_u32(w, &s->length);
	field_data(w, &data, s->length);
	if (!w->takes)
		return;
	s->data = data;
	if (!data)
		s->length = 0;
}

/* The first 32 bytes of every message; a request has 8 more, see request.c. */
#define WIRE_MAGIC_REQUEST 0x31714e46u /* "FNq1" */
#define WIRE_MAGIC_REPLY   0x31724e46u /* "FNr1" */
#define WIRE_MAGIC_NOTICE  0x316e4e46u /* "FNn1": from the server */

struct wire_header {
	uint32_t magic;
	uint32_t length; /* length of the whole message */
	uint16_t op;
	uint16_t slot;
	uint32_t sequence;
	uint32_t cred_or_status;
	uint16_t slots; /* in requests: how many are in use */
	uint16_t window;
	uint64_t invalidation; /* in requests: quiesced */
};
#define WIRE_HEADER_SIZE 32u

WIRE_FIELDS void wire_head(struct wire *w, struct wire_header *h)
{
	field_u32(w, &h->magic);
	field_u32(w, &h->length);
	field_u16(w, &h->op);
	field_u16(w, &h->slot);
	field_u32(w, &h->sequence);
	field_u32(w, &h->cred_or_status);
	field_u16(w, &h->slots);
	field_u16(w, &h->window);
	field_u64(w, &h->invalidation);
}

/* wire_check_header -- NULL if the header of a message is valid for `magic` and `length`, else the reason. */
const char *wire_check_header(const struct wire_header *h, uint32_t magic, size_t length);

/* wire_finish -- write the header before the body in `w`; returns the message's length or -EMSGSIZE. */
int wire_finish(const struct wire *w, void *buffer, struct wire_header *h);

/* wire_bad_handle, wire_bad_path, wire_bad_extent -- NULL if valid, else the reason. */
const char *wire_bad_handle(struct proto_handle h);
const char *wire_bad_path(struct proto_string s, uint32_t max);
const char *wire_bad_extent(const struct proto_extent *e);

#endif
