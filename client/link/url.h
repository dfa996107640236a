/*
 * url.h -- take a farnova URL apart.
 */
#ifndef FARNOVA_CLIENT_URL_H
#define FARNOVA_CLIENT_URL_H

#include <stdint.h>

struct url {
	char host[256];  /* a name, an address, or the absolute path of a UNIX socket */
	uint16_t port;   /* PROTO_DEFAULT_PORT if none is given */
	char path[4096]; /* as written, without the slashes it begins with; "" is the root */
};

/*
 * url_parse -- farnova://HOST[:PORT][/PATH]. HOST may be in brackets: an IPv6 address, or the path of a UNIX socket.
 * PATH is taken as it is, without percent-decoding, since names may hold any byte. -EINVAL, -ENAMETOOLONG, with `*why`
 * the reason.
 */
int url_parse(const char *text, struct url *out, const char **why);

#endif
