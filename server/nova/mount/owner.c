/*
 * owner.c -- claims a pool for this host, and sees whether another host has it.
 */
#include "server/nova/mount/owner.h"

#include "common/clock.h"
#include "server/nova/media/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WATCH_MS    2000u /* eight beats */
#define BEAT_MS     250u
#define LOOK_MS     25u
#define HOST_DIGITS 12u /* the last ones of a boot id, which is a random UUID: 48 bits */

struct owner {
	struct pm *pm;
	uint64_t instance;
	uint64_t beat;
	void (*lost)(void *context);
	void *context;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping; /* under the lock */
};

uint64_t owner_host(void)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[64] = "";
	uint64_t host = 0;
	size_t length;

	if (file) {
		if (!fgets(text, sizeof text, file))
			text[0] = 0;
		fclose(file);
	}
	length = strcspn(text, "\n");
	text[length] = 0;
	if (length > HOST_DIGITS)
		host = strtoull(text + length - HOST_DIGITS, NULL, 16) & WORD_VALUE_MAX;
	return host ? host : 1;
}

static struct nova_super *super_copy(const struct pm *pm, unsigned copy)
{
	return pm_at(pm, block_offset(copy ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0));
}

static uint64_t read_pair(const struct pm *pm, enum nova_word_kind kind, size_t offset)
{
	const uint8_t *copies[2] = {(const uint8_t *)super_copy(pm, 0), (const uint8_t *)super_copy(pm, 1)};
	uint64_t value;

	if (word_read(kind, 0, (const le64 *)(const void *)(copies[0] + offset),
	              (const le64 *)(const void *)(copies[1] + offset), &value) == WORD_LOST)
		return 0;
	return value;
}

static void store_pair(struct pm *pm, enum nova_word_kind kind, size_t offset, uint64_t value)
{
	for (unsigned i = 0; i < 2; i++) {
		le64 *place = (void *)((uint8_t *)super_copy(pm, i) + offset);

		pm_set8(pm, place, word_make(kind, 0, value));
		pm_flush(pm, place, sizeof *place);
	}
}

/* ---- another owner -------------------------------------------------------------------------------------------- */

static uint64_t host_of(const struct nova_mount_options *options)
{
	return options->host ? options->host : owner_host();
}

int owner_watch(const struct pm *pm, const struct super_info *info, const struct nova_mount_options *options, char *why,
                size_t why_size)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	int64_t until = (options->owner_watch_ms ? options->owner_watch_ms : WATCH_MS) * CLOCK_NS_PER_MS;
	uint64_t beat;

	if (!info->owner || info->host == host_of(options))
		return 0;
	log_info(NOVA_LOG_NAME, "the pool was last served by another host, which has not ended: waiting for %lld ms",
	         (long long)(until / CLOCK_NS_PER_MS));
	beat = read_pair(pm, NOVA_WORD_BEAT, offsetof(struct nova_super, beat));
	until += clock_now_ns();
	while (clock_now_ns() < until) {
		nanosleep(&pause, NULL);
		if (read_pair(pm, NOVA_WORD_BEAT, offsetof(struct nova_super, beat)) == beat)
			continue;
		snprintf(why, why_size, "another host serves this pool (instance %llx): end its farnovad first",
		         (unsigned long long)info->owner);
		return -EBUSY;
	}
	log_info(NOVA_LOG_NAME, "the host that served the pool is gone");
	return 0;
}

/* ---- this owner ----------------------------------------------------------------------------------------------- */

/* True: the pool has another owner now. */
static bool beat_once(struct owner *owner)
{
	if (read_pair(owner->pm, NOVA_WORD_OWNER, offsetof(struct nova_super, owner)) != owner->instance) {
		log_error(NOVA_LOG_NAME, "another host has taken this pool: this one was stopped for too long");
		return true;
	}
	store_pair(owner->pm, NOVA_WORD_BEAT, offsetof(struct nova_super, beat), ++owner->beat & WORD_VALUE_MAX);
	pm_fence(owner->pm);
	return false;
}

static bool stopped_within(struct owner *owner, unsigned ms)
{
	struct timespec until = clock_timespec(clock_now_ns() + ms * CLOCK_NS_PER_MS);
	bool stopping;

	pthread_mutex_lock(&owner->lock);
	while (!owner->stopping && !pthread_cond_timedwait(&owner->wake, &owner->lock, &until))
		;
	stopping = owner->stopping;
	pthread_mutex_unlock(&owner->lock);
	return stopping;
}

static void *beat(void *argument)
{
	struct owner *owner = argument;

	while (!stopped_within(owner, BEAT_MS))
		if (beat_once(owner)) {
			if (owner->lost)
				owner->lost(owner->context);
			break;
		}
	return NULL;
}

static int start(struct owner *owner)
{
	pthread_condattr_t monotonic;
	int rc;

	pthread_mutex_init(&owner->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&owner->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rc = pthread_create(&owner->thread, NULL, beat, owner);
	if (rc) {
		pthread_cond_destroy(&owner->wake);
		pthread_mutex_destroy(&owner->lock);
	}
	return -rc;
}

int owner_claim(struct nova *fs, const struct super_info *info, const struct nova_mount_options *options)
{
	uint64_t instance = options->instance & WORD_VALUE_MAX;
	struct owner *owner;
	int rc;

	if (instance || info->owner)
		store_pair(fs->pm, NOVA_WORD_OWNER, offsetof(struct nova_super, owner), instance);
	if (!instance)
		return 0;
	store_pair(fs->pm, NOVA_WORD_HOST, offsetof(struct nova_super, host), host_of(options));
	owner = calloc(1, sizeof *owner);
	if (!owner)
		return -ENOMEM;
	owner->pm = fs->pm;
	owner->instance = instance;
	owner->lost = options->owner_lost;
	owner->context = options->owner_lost_context;
	owner->beat = read_pair(fs->pm, NOVA_WORD_BEAT, offsetof(struct nova_super, beat));
	rc = start(owner);
	if (rc) {
		free(owner);
		return rc;
	}
	fs->owner = owner;
	return 0;
}

void owner_release(struct nova *fs)
{
	struct owner *owner = fs->owner;

	if (!owner)
		return;
	pthread_mutex_lock(&owner->lock);
	owner->stopping = true;
	pthread_cond_signal(&owner->wake);
	pthread_mutex_unlock(&owner->lock);
	pthread_join(owner->thread, NULL);
	pthread_cond_destroy(&owner->wake);
	pthread_mutex_destroy(&owner->lock);
	store_pair(fs->pm, NOVA_WORD_OWNER, offsetof(struct nova_super, owner), 0);
	pm_fence(fs->pm);
	free(owner);
	fs->owner = NULL;
}

int nova_served(const struct pm *pm, char *why, size_t why_size)
{
	static const struct nova_mount_options options;
	struct super_info info;
	int rc = super_read(pm, &info, why, why_size);

	return rc ? rc : owner_watch(pm, &info, &options, why, why_size);
}
