/*
 * owner.h -- one server for one pool: who serves it, on hosts that share the memory.
 *
 * A file lock keeps two processes of one host apart. Two hosts that map the same memory see each other only there: OWNER
 * names the instance that serves, HOST its host, and BEAT moves while it lives. This guards against mistakes, it does
 * not fence: a host that was stopped for longer than the watch and goes on stores until its next beat.
 */
#ifndef FARNOVA_NOVA_OWNER_H
#define FARNOVA_NOVA_OWNER_H

#include "server/nova/media/super.h"

struct owner;

/* owner_host -- of this host: 48 bits of its boot id, never 0. */
uint64_t owner_host(void);

/* owner_watch -- before anything is stored: -EBUSY with `why` if another host serves the pool. Takes up to
 * options->owner_watch_ms where the last owner was of another host and has not ended cleanly. */
int owner_watch(const struct pm *pm, const struct super_info *info, const struct nova_mount_options *options, char *why,
                size_t why_size);

/* owner_claim -- store OWNER and HOST as the options say, not fenced, and beat from now on in a thread of its own.
 * -ENOMEM, -EAGAIN. */
int owner_claim(struct nova *fs, const struct super_info *info, const struct nova_mount_options *options);

/* owner_release -- end the thread, and store OWNER = 0, fenced; nothing if the pool was not claimed. */
void owner_release(struct nova *fs);

#endif
