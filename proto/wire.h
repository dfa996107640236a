/*
 * wire.h -- bounded cursors over a message: the only way bytes are put into one or taken out.
 *
 * A cursor that has run over its end stays failed: every later put writes nothing and every later take gives zero, so
 * a function takes all its fields and asks once at the end.
 */
#ifndef FARNOVA_PROTO_WIRE_H
#define FARNOVA_PROTO_WIRE_H

#include "common/le.h"
#include "proto/proto.h"

#include <string.h>

struct wire_writer {
	uint8_t *at;
	uint8_t *end;
	bool failed;
};

struct wire_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline uint8_t *wire_room(struct wire_writer *w, size_t size)
{
	if (w->failed || (size_t)(w->end - w->at) < size) {
		w->failed = true;
		return NULL;
	}
	uint8_t *room = w->at;
	w->at += size;
	return room;
}

static inline const uint8_t *wire_take(struct wire_reader *r, size_t size)
{
	if (r->failed || (size_t)(r->end - r->at) < size) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *bytes = r->at;
	r->at += size;
	return bytes;
}

static inline void put_bytes(struct wire_writer *w, const void *data, size_t size)
{
	uint8_t *room = wire_room(w, size);
	if (room && size > 0)
		memcpy(room, data, size);
}

static inline void put_u16(struct wire_writer *w, uint16_t v)
{
	le16 wire = le16_of(v);
	put_bytes(w, &wire, sizeof(wire));
}

static inline void put_u32(struct wire_writer *w, uint32_t v)
{
	le32 wire = le32_of(v);
	put_bytes(w, &wire, sizeof(wire));
}

static inline void put_u64(struct wire_writer *w, uint64_t v)
{
	le64 wire = le64_of(v);
	put_bytes(w, &wire, sizeof(wire));
}

static inline void take_bytes(struct wire_reader *r, void *data, size_t size)
{
	const uint8_t *bytes = wire_take(r, size);
	if (bytes)
		memcpy(data, bytes, size);
	else
		memset(data, 0, size);
}

static inline uint16_t take_u16(struct wire_reader *r)
{
	le16 wire;
	take_bytes(r, &wire, sizeof(wire));
	return le16_get(wire);
}

static inline uint32_t take_u32(struct wire_reader *r)
{
	le32 wire;
	take_bytes(r, &wire, sizeof(wire));
	return le32_get(wire);
}

static inline uint64_t take_u64(struct wire_reader *r)
{
	le64 wire;
	take_bytes(r, &wire, sizeof(wire));
	return le64_get(wire);
}

/* Handles, strings and attributes have one shape in all messages. */

static inline void put_handle(struct wire_writer *w, struct proto_handle h)
{
	put_u64(w, h.ino);
	put_u32(w, h.generation);
}

static inline struct proto_handle take_handle(struct wire_reader *r)
{
	struct proto_handle h;
	h.ino = take_u64(r);
	h.generation = take_u32(r);
	return h;
}

static inline void put_string(struct wire_writer *w, struct proto_string s)
{
	put_u32(w, s.length);
	put_bytes(w, s.data, s.length);
}

static inline struct proto_string take_string(struct wire_reader *r)
{
	struct proto_string s;
	s.length = take_u32(r);
	s.data = (const char *)wire_take(r, s.length);
	if (!s.data)
		s.length = 0;
	return s;
}

/* The first 32 bytes of every message. */
#define WIRE_MAGIC_REQUEST 0x31714e46u /* "FNq1" */
#define WIRE_MAGIC_REPLY   0x31724e46u /* "FNr1" */
#define WIRE_MAGIC_NOTICE  0x316e4e46u /* "FNn1": from the server */

struct wire_header {
	uint32_t magic;
	uint32_t length; /* of the whole message */
	uint16_t op;
	uint16_t slot;
	uint32_t sequence;
	uint32_t cred_or_status;
	uint32_t reserved;
	uint64_t invalidation; /* requests: quiesced */
};
#define WIRE_HEADER_SIZE 32u

static inline void put_header(struct wire_writer *w, const struct wire_header *h)
{
	put_u32(w, h->magic);
	put_u32(w, h->length);
	put_u16(w, h->op);
	put_u16(w, h->slot);
	put_u32(w, h->sequence);
	put_u32(w, h->cred_or_status);
	put_u32(w, h->reserved);
	put_u64(w, h->invalidation);
}

static inline void take_header(struct wire_reader *r, struct wire_header *h)
{
	h->magic = take_u32(r);
	h->length = take_u32(r);
	h->op = take_u16(r);
	h->slot = take_u16(r);
	h->sequence = take_u32(r);
	h->cred_or_status = take_u32(r);
	h->reserved = take_u32(r);
	h->invalidation = take_u64(r);
}

/* wire_check_header -- NULL if a message's header is sound for `magic` and `length`, else the reason. */
const char *wire_check_header(const struct wire_header *h, uint32_t magic, size_t length);

/* wire_finish -- write the header in front of the body that `w` holds; the message's length or -EMSGSIZE. */
int wire_finish(const struct wire_writer *w, void *buffer, struct wire_header *h);

/* wire_bad_handle, wire_bad_path, wire_bad_extent -- NULL if sound, else the reason. */
const char *wire_bad_handle(struct proto_handle h);
const char *wire_bad_path(struct proto_string s, uint32_t max);
const char *wire_bad_extent(const struct proto_extent *e);

#endif
