/*
 * dump.c -- `farnova dump`: shows what is on the medium of a pool that nobody has mounted.
 */
#include "server/pool/pool_commands.h"

#include "common/file_type.h"
#include "common/pm.h"
#include "server/pool/dump_view.h"
#include "server/pool/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_LIMIT 2048

static const char usage[] = "Usage: farnova dump [OPTION]... POOL\n"
                            "Show what lies on the medium of the farnova pool POOL, which no server may be using, "
                            "as a mount would find it.\n"
                            "\n"
                            "      --super      the superblock, the zones, the saved allocation state (the default)\n"
                            "      --tree       the directory tree with inode numbers\n"
                            "      --inode=N    header and words of inode N\n"
                            "      --log=N      the same and each entry of its log\n"
                            "      --journal    the committed records of the journal rings\n"
                            "      --all        all of these, for every inode in use\n"
                            "      --json       as one JSON object\n"
                            "      --help       show this\n"
                            "\n"
                            "Exit code: 0 shown, 1 failed, 2 usage.\n";

struct options {
	const char *path;
	bool super, tree, journal, all, as_json;
	bool inode, with_log;
	uint64_t ino;
};

static int parse_ino(const char *text, struct options *options)
{
	char *end;

	errno = 0;
	options->ino = strtoull(text, &end, 10);
	options->inode = true;
	if (*text >= '0' && *text <= '9' && *end == '\0' && !errno)
		return 0;
	return pool_usage_error("dump", "'%s' is no inode number", text);
}

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"super", no_argument, NULL, 's'},
	    {"tree", no_argument, NULL, 't'},
	    {"inode", required_argument, NULL, 'i'},
	    {"log", required_argument, NULL, 'l'},
	    {"journal", no_argument, NULL, 'j'},
	    {"all", no_argument, NULL, 'a'},
	    {"json", no_argument, NULL, 'J'},
	    POOL_HELP_OPTION,
	    {NULL, 0, NULL, 0},
	};
	int c, rc = 0;

	*options = (struct options){0};
	optind = 0;
	while (rc == 0 && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			options->super = true;
			break;
		case 't':
			options->tree = true;
			break;
		case 'l':
			options->with_log = true;
			/* fall through */
		case 'i':
			rc = parse_ino(optarg, options);
			break;
		case 'j':
			options->journal = true;
			break;
		case 'a':
			options->all = true;
			break;
		case 'J':
			options->as_json = true;
			break;
		default:
			return pool_other_option(c, "dump", usage);
		}
	}
	if (rc)
		return rc;
	rc = pool_one_path(argc, argv, "dump", &options->path);
	if (!options->tree && !options->inode && !options->journal)
		options->super = true;
	return rc;
}

/* ---- superblock and zones ----------------------------------------------------------------------- */

static void show_uuid(struct dump_view *view, const uint8_t *uuid)
{
	char text[40];
	char *p = text;

	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%02x%s", uuid[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
	dump_text(view, "uuid", text);
}

static void show_super_word(struct dump_view *view, const struct medium *medium, const char *name,
                            enum nova_word_kind kind, size_t offset)
{
	struct medium_word word;
	le64 copies[2];

	for (int i = 0; i < 2; i++)
		memcpy(&copies[i], (const uint8_t *)medium_super(medium, i) + offset, sizeof(copies[i]));
	word = medium_word_pick(kind, 0, copies[0], copies[1]);
	dump_word(view, name, &word);
}

static void show_super(struct dump_view *view, const struct medium *medium)
{
	const struct nova_super *super = medium->super;

	dump_open(view, "superblock", '{');
	dump_number(view, "version", le32_get(super->version));
	show_uuid(view, super->uuid);
	dump_bytes(view, "label", super->label, strnlen((const char *)super->label, sizeof(super->label)));
	dump_time(view, "created", super->created_ns);
	dump_hex(view, "compat", le64_get(super->compat));
	dump_hex(view, "ro_compat", le64_get(super->ro_compat));
	dump_hex(view, "incompat", le64_get(super->incompat));
	dump_number(view, "block_size", le32_get(super->block_size));
	dump_number(view, "zone_blocks", le32_get(super->zone_blocks));
	dump_number(view, "journal_rings", le32_get(super->journal_rings));
	dump_number(view, "root_inode", le64_get(super->root_ino));
	for (int i = 0; i < 2; i++)
		if (!medium_super_valid(medium_super(medium, i)))
			dump_text(view, i ? "second_copy" : "first_copy", "damaged");
	show_super_word(view, medium, "mounts_and_clean", NOVA_WORD_CLEAN, offsetof(struct nova_super, clean));
	show_super_word(view, medium, "epoch", NOVA_WORD_EPOCH, offsetof(struct nova_super, epoch));
	show_super_word(view, medium, "blocks", NOVA_WORD_BLOCKS, offsetof(struct nova_super, blocks));
	show_super_word(view, medium, "saved", NOVA_WORD_SAVED, offsetof(struct nova_super, saved));
	dump_close(view, '}');
}

static bool is_slot_chunk(const struct medium *medium, uint64_t block)
{
	return medium_chunk(medium, block).value == NOVA_CHUNK_SLOTS;
}

static void show_zones(struct dump_view *view, const struct medium *medium)
{
	dump_open(view, "zones", '[');
	for (uint64_t zone = 0; zone < medium_zones(medium); zone++) {
		uint64_t start = medium_zone_start(zone), blocks = medium_zone_blocks(medium, zone);
		uint64_t chunks = 0, slot_chunks = 0;

		for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS) {
			chunks++;
			slot_chunks += is_slot_chunk(medium, start + b);
		}
		dump_open(view, NULL, '{');
		dump_number(view, "zone", zone);
		dump_number(view, "first_block", start);
		dump_number(view, "blocks", blocks);
		dump_number(view, "chunks", chunks);
		dump_number(view, "slot_chunks", slot_chunks);
		dump_close(view, '}');
	}
	dump_close(view, ']');
}

/* ---- journal ------------------------------------------------------------------------------------ */

static const char *word_name(unsigned kind)
{
	switch (kind) {
	case NOVA_WORD_LIFE:
		return "life";
	case NOVA_WORD_TAIL:
		return "tail";
	case NOVA_WORD_HEAD:
		return "head";
	default:
		return "unknown";
	}
}

static void show_record(struct dump_view *view, const struct nova_record *record, unsigned ring)
{
	unsigned count = record->count <= NOVA_RECORD_WORDS ? record->count : NOVA_RECORD_WORDS;

	dump_open(view, NULL, '{');
	if (!medium_record_valid(record, ring)) {
		dump_text(view, "record", "damaged or being written");
		dump_close(view, '}');
		return;
	}
	dump_number(view, "sequence", le64_get(record->sequence));
	dump_open(view, "words", '[');
	for (unsigned i = 0; i < count; i++) {
		uint64_t target = le64_get(record->words[i].target);

		dump_open(view, NULL, '{');
		dump_number(view, "inode", target >> 8);
		dump_text(view, "word", word_name(target & 0xff));
		dump_number(view, "value", le64_get(record->words[i].word) >> 16);
		dump_number(view, "generation", le32_get(record->words[i].generation));
		dump_close(view, '}');
	}
	dump_close(view, ']');
	dump_close(view, '}');
}

static void show_journal(struct dump_view *view, const struct medium *medium)
{
	dump_open(view, "journal", '[');
	for (unsigned ring = 0; ring < NOVA_JOURNAL_RINGS; ring++) {
		const struct nova_ring *r = medium_ring(medium, ring);
		struct medium_word commit = medium_word_pick(NOVA_WORD_COMMIT, ring, r->commit[0], r->commit[1]);
		uint64_t first = commit.value > NOVA_RING_RECORDS ? commit.value - NOVA_RING_RECORDS + 1 : 1;

		if (commit.value == 0 && commit.valid[0] && commit.valid[1])
			continue;
		dump_open(view, NULL, '{');
		dump_number(view, "ring", ring);
		dump_word(view, "commit", &commit);
		dump_open(view, "records", '[');
		for (uint64_t sequence = first; sequence <= commit.value; sequence++)
			show_record(view, &r->records[sequence % NOVA_RING_RECORDS], ring);
		dump_close(view, ']');
		dump_close(view, '}');
	}
	dump_close(view, ']');
}

/* ---- the tree ----------------------------------------------------------------------------------- */

/* Live names of a directory: a name is live if no later entry takes its cookie away. */
struct names {
	const struct nova_name_entry **list;
	size_t count, room;
};

static bool add_name(struct names *names, const struct nova_name_entry *name)
{
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 64;
		void *grown = reallocarray(names->list, room, sizeof(*names->list));

		if (!grown)
			return false;
		names->list = grown;
		names->room = room;
	}
	names->list[names->count++] = name;
	return true;
}

static int compare_cookies(const void *a, const void *b)
{
	uint64_t x = le64_get((*(const struct nova_name_entry *const *)a)->cookie);
	uint64_t y = le64_get((*(const struct nova_name_entry *const *)b)->cookie);

	return x < y ? -1 : x > y;
}

static void drop_cookie(struct names *names, uint64_t cookie)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint64_t at = le64_get(names->list[middle]->cookie);

		if (at == cookie) {
			memmove(&names->list[middle], &names->list[middle + 1],
			        (names->count - middle - 1) * sizeof(*names->list));
			names->count--;
			return;
		}
		if (at < cookie)
			low = middle + 1;
		else
			high = middle;
	}
}

static bool read_names(const struct medium *medium, uint64_t ino, struct names *names, bool *damaged)
{
	struct medium_inode inode;
	enum medium_step step;
	struct medium_log log;

	*damaged = medium_inode(medium, ino, &inode) != 0 || inode.life != NOVA_LIFE_ALLOCATED;
	if (*damaged)
		return true;
	medium_log_begin(&log, medium, &inode);
	while ((step = medium_log_next(&log)) != MEDIUM_END) {
		if (step == MEDIUM_BAD) {
			*damaged = true;
			break;
		}
		if (step == MEDIUM_ENTRY && log.entry->type == NOVA_ENTRY_NAME &&
		    !add_name(names, (const struct nova_name_entry *)(const void *)log.entry->payload))
			return false;
	}
	if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), compare_cookies);
	medium_log_begin(&log, medium, &inode);
	while ((step = medium_log_next(&log)) != MEDIUM_END && step != MEDIUM_BAD)
		if (step == MEDIUM_ENTRY && log.entry->type == NOVA_ENTRY_NAME_GONE)
			drop_cookie(
			    names,
			    le64_get(((const struct nova_name_gone_entry *)(const void *)log.entry->payload)->cookie));
	return true;
}

static bool show_directory(struct dump_view *view, const struct medium *medium, uint64_t ino, unsigned depth)
{
	struct names names = {0};
	bool damaged, ok;

	ok = read_names(medium, ino, &names, &damaged);
	dump_open(view, "names", '[');
	for (size_t i = 0; ok && i < names.count; i++) {
		const struct nova_name_entry *name = names.list[i];

		dump_open(view, NULL, '{');
		dump_bytes(view, "name", name->name, name->name_length);
		dump_number(view, "inode", le64_get(name->ino));
		dump_text(view, "type", file_type_name((mode_t)name->file_type << 12));
		if (name->file_type == S_IFDIR >> 12) {
			if (depth < DEPTH_LIMIT)
				ok = show_directory(view, medium, le64_get(name->ino), depth + 1);
			else
				dump_text(view, "names", "too deep to show, or the directory is its own ancestor");
		}
		dump_close(view, '}');
	}
	dump_close(view, ']');
	if (damaged)
		dump_text(view, "directory", "damaged");
	free(names.list);
	return ok;
}

/* ---- all ---------------------------------------------------------------------------------------- */

static void show_inodes(struct dump_view *view, const struct medium *medium)
{
	dump_open(view, "inodes", '[');
	for (uint64_t zone = 0; zone < medium_zones(medium); zone++) {
		uint64_t start = medium_zone_start(zone), blocks = medium_zone_blocks(medium, zone);

		for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS) {
			if (!is_slot_chunk(medium, start + b))
				continue;
			for (uint64_t i = 0; i < NOVA_SLOTS_PER_CHUNK; i++) {
				uint64_t ino = (start + b) * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE) + i;
				struct medium_inode inode;

				if (medium_inode(medium, ino, &inode) == 0 && !life_has_log(inode.life))
					continue;
				dump_inode(view, medium, ino, true);
			}
		}
	}
	dump_close(view, ']');
}

static int show(const struct options *options, const struct medium *medium)
{
	struct dump_view view = {.json = {stdout, true}, .as_json = options->as_json};
	bool ok = true, found = true;

	if (options->as_json)
		dump_open(&view, NULL, '{');
	if (options->super || options->all) {
		show_super(&view, medium);
		show_zones(&view, medium);
		dump_saved(&view, medium);
	}
	if (options->journal || options->all)
		show_journal(&view, medium);
	if (options->tree || options->all) {
		dump_open(&view, "tree", '{');
		dump_number(&view, "inode", le64_get(medium->super->root_ino));
		ok = show_directory(&view, medium, le64_get(medium->super->root_ino), 0);
		dump_close(&view, '}');
	}
	if (options->inode) {
		dump_open(&view, "selected", '[');
		found = dump_inode(&view, medium, options->ino, options->with_log);
		dump_close(&view, ']');
	}
	if (options->all)
		show_inodes(&view, medium);
	if (options->as_json) {
		dump_close(&view, '}');
		putchar('\n');
	}
	if (!ok)
		fprintf(stderr, "farnova dump: out of memory\n");
	if (!found)
		fprintf(stderr, "farnova dump: inode %" PRIu64 " has no place in '%s'; --tree shows those in use\n",
		        options->ino, options->path);
	return ok && found ? 0 : 1;
}

int pool_dump_main(int argc, char **argv)
{
	struct options options;
	struct medium medium;
	const char *reason;
	char why[512];
	struct pm pm;
	int rc;

	rc = parse(argc, argv, &options);
	if (rc)
		return pool_parse_result(rc);
	rc = pm_open(options.path, true, &pm, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "farnova dump: %s\n", why);
		return 1;
	}
	rc = medium_open(&medium, pm.base, pm.size, &reason);
	if (rc) {
		fprintf(stderr, "farnova dump: cannot read '%s': %s\n", options.path, reason);
		pm_close(&pm);
		return 1;
	}
	rc = medium_replay(&medium) < 0 ? 1 : show(&options, &medium);
	medium_close(&medium);
	pm_close(&pm);
	if (fflush(stdout) != 0) {
		perror("farnova dump: cannot write");
		return 1;
	}
	return rc;
}
