/*
 * send.c -- encodes and sends the session's requests.
 */
#include "client/session/send.h"

#include <errno.h>

int send_request(struct farnova *fs, struct proto_request *request, unsigned flags)
{
	request->quiesced = layout_quiesced(&fs->layouts);
	request->slots_used = fs->slots_used;
	request->window = fs->session.window;
	int length = proto_encode_request(request, fs->message, sizeof(fs->message));
	if (length < 0) {
		connection_lose(&fs->link, length, "a request could not be encoded");
		return length;
	}
	int error = connection_send(&fs->link, fs->message, (size_t)length, fs->link.more ? TRANSPORT_MORE : flags);
	if (error == 0) {
		fs->link.counts.requests[request->op]++;
		fs->layouts.quiesced_sent = request->quiesced;
	}
	return error;
}

void return_layouts(struct farnova *fs, bool idle)
{
	struct layouts *layouts = &fs->layouts;
	uint64_t quiesced = layout_quiesced(layouts);
	bool due = layouts->return_due > layouts->quiesced_sent && quiesced >= layouts->return_due;
	if (fs->link.state != CONNECTION_UP || (!due && !(idle && quiesced > layouts->quiesced_sent)))
		return;
	struct proto_request request;
	request.op = PROTO_LAYOUT_RETURN;
	request.slot = PROTO_SLOT_NONE;
	request.sequence = 0;
	request.cred = 0;
	request.close_first = 0;
	/* -EAGAIN: no credit now. Any later message carries `quiesced`, and the background thread tries again. */
	send_request(fs, &request, 0);
}
