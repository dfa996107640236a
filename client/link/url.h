/*
 * url.h -- parses a farnova URL.
 */
#ifndef FARNOVA_CLIENT_URL_H
#define FARNOVA_CLIENT_URL_H

#include <stdint.h>

struct url {
	char host[256];  /* a name, an address, or the absolute path of a UNIX socket */
	uint16_t port;   /* PROTO_DEFAULT_PORT if the URL has none */
	char path[4096]; /* as written, without leading slashes; "" is the root */
};

/*
 * url_parse -- parse farnova://HOST[:PORT][/PATH]. HOST may be in brackets: an IPv6 address, or the path of a UNIX
 * socket. PATH is not percent-decoded, since names may contain any byte. -EINVAL or -ENAMETOOLONG, with the reason in
 * `*why`.
 */
int url_parse(const char *text, struct url *out, const char **why);

#endif
