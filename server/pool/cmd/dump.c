/*
 * dump.c -- `farnova dump`: shows the structures on the medium of an unmounted pool.
 */
#include "server/pool/cmd/pool_commands.h"

#include "common/pm/pm.h"
#include "common/uuid.h"
#include "server/pool/cmd/options.h"
#include "server/pool/dump/dump_image.h"
#include "server/pool/dump/dump_view.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: farnova dump [OPTION]... POOL\n"
    "Show the structures of the farnova pool POOL, which no server may be using, as a mount would find them.\n"
    "\n"
    "      --super      the superblock, the zones, the saved allocation state (the default)\n"
    "      --tree       the directory tree with inode numbers\n"
    "      --inode=N    header and words of inode N\n"
    "      --path=P     the same for the inode of path P\n"
    "      --log=N      the same, and each entry of its log; N may be a path too\n"
    "      --page=B     the log page in block B: its header and its valid entries\n"
    "      --zone=Z     zone Z: its headers, and its chunks that are not general\n"
    "      --free       free space: by zone, and the number of runs by size\n"
    "      --clients    the client table: clients, and what their newest requests did\n"
    "      --journal    the committed records of the journal rings\n"
    "      --all        all of these, for every inode in use\n"
    "      --json       as one JSON object\n"
    "\n"
    "  farnova dump --metadata-only [--hide-names] POOL OUT\n"
    "                   write an image without the contents of files to OUT, for bug reports: a\n"
    "                   sparse file that fsck and dump accept. With --hide-names it has no names,\n"
    "                   no symlink targets and no values of extended attributes except ACLs\n"
    "\n"
    "      --help       show this\n"
    "\n"
    "Exit code: 0 shown, 1 failed, 2 usage.\n";

struct options {
	const char *path;
	bool super, tree, journal, all, as_json;
	bool inode, with_log, page, zone, free_space, clients;
	bool metadata_only, hide_names;
	uint64_t ino, page_block, zone_number;
	const char *inode_path; /* instead of ino; NULL = none */
	const char *out;
};

static int parse_number(const char *text, const char *what, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && *end == '\0' && !errno)
		return 0;
	return pool_usage_error("dump", what, text);
}

static int parse_inode(const char *text, struct options *options)
{
	options->inode = true;
	if (*text != '/')
		return parse_number(text, "'%s' is no inode number", &options->ino);
	options->inode_path = text;
	return 0;
}

/* 0 taken, POOL_USAGE, or -1: not one of these. */
static int take_option(int c, struct options *options)
{
	switch (c) {
	case 's':
		options->super = true;
		return 0;
	case 't':
		options->tree = true;
		return 0;
	case 'l':
		options->with_log = true;
		return parse_inode(optarg, options);
	case 'i':
		return parse_inode(optarg, options);
	case 'p':
		options->inode = true;
		options->inode_path = optarg;
		return 0;
	case 'P':
		options->page = true;
		return parse_number(optarg, "'%s' is no block number", &options->page_block);
	case 'z':
		options->zone = true;
		return parse_number(optarg, "'%s' is no zone number", &options->zone_number);
	case 'f':
		options->free_space = true;
		return 0;
	case 'c':
		options->clients = true;
		return 0;
	case 'j':
		options->journal = true;
		return 0;
	case 'a':
		options->all = true;
		return 0;
	case 'J':
		options->as_json = true;
		return 0;
	case 'm':
		options->metadata_only = true;
		return 0;
	case 'H':
		options->hide_names = true;
		return 0;
	default:
		return -1;
	}
}

static int parse_image(int argc, char **argv, struct options *options)
{
	if (optind + 2 != argc)
		return pool_usage_error("dump", "%s", "--metadata-only takes a POOL and the OUT file to be made");
	options->path = argv[optind];
	options->out = argv[optind + 1];
	return 0;
}

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"super", no_argument, NULL, 's'},
	    {"tree", no_argument, NULL, 't'},
	    {"inode", required_argument, NULL, 'i'},
	    {"log", required_argument, NULL, 'l'},
	    {"path", required_argument, NULL, 'p'},
	    {"page", required_argument, NULL, 'P'},
	    {"zone", required_argument, NULL, 'z'},
	    {"free", no_argument, NULL, 'f'},
	    {"metadata-only", no_argument, NULL, 'm'},
	    {"hide-names", no_argument, NULL, 'H'},
	    {"clients", no_argument, NULL, 'c'},
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
		rc = take_option(c, options);
		if (rc < 0)
			return pool_other_option(c, "dump", usage);
	}
	if (rc)
		return rc;
	if (options->metadata_only)
		return parse_image(argc, argv, options);
	if (options->hide_names)
		return pool_usage_error("dump", "%s", "--hide-names goes with --metadata-only");
	if (!options->tree && !options->inode && !options->journal && !options->page && !options->zone &&
	    !options->free_space && !options->clients)
		options->super = true;
	return pool_one_path(argc, argv, "dump", &options->path);
}

/* ---- superblock and zones ----------------------------------------------------------------------- */

static void show_uuid(struct dump_view *view, const uint8_t *uuid)
{
	char text[UUID_TEXT];

	uuid_text(uuid, text);
	dump_text(view, "uuid", text);
}

static void show_super_word(struct dump_view *view, const struct image *image, const char *name,
                            enum nova_word_kind kind, size_t offset)
{
	struct image_word word;
	le64 copies[2];

	for (int i = 0; i < 2; i++)
		memcpy(&copies[i], (const uint8_t *)image_super(image, i) + offset, sizeof(copies[i]));
	word = image_word_pick(kind, 0, copies[0], copies[1]);
	dump_word(view, name, &word);
}

static void show_super(struct dump_view *view, const struct image *image)
{
	const struct nova_super *super = image->super;

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
	dump_number(view, "client_table_inode", le64_get(super->clients_ino));
	for (int i = 0; i < 2; i++)
		if (!image_super_valid(image_super(image, i)))
			dump_text(view, i ? "second_copy" : "first_copy", "damaged");
	show_super_word(view, image, "mounts_and_clean", NOVA_WORD_CLEAN, offsetof(struct nova_super, clean));
	show_super_word(view, image, "epoch", NOVA_WORD_EPOCH, offsetof(struct nova_super, epoch));
	show_super_word(view, image, "blocks", NOVA_WORD_BLOCKS, offsetof(struct nova_super, blocks));
	show_super_word(view, image, "saved", NOVA_WORD_CHECKPOINT, offsetof(struct nova_super, checkpoint));
	show_super_word(view, image, "unsafe_shutdowns_and_device", NOVA_WORD_DEVICE,
	                offsetof(struct nova_super, device));
	if (le64_get(image_super(image, 0)->owner) || le64_get(image_super(image, 1)->owner)) {
		show_super_word(view, image, "owner", NOVA_WORD_OWNER, offsetof(struct nova_super, owner));
		show_super_word(view, image, "beat", NOVA_WORD_BEAT, offsetof(struct nova_super, beat));
		show_super_word(view, image, "host", NOVA_WORD_HOST, offsetof(struct nova_super, host));
	}
	dump_close(view, '}');
}

static bool is_slot_chunk(const struct image *image, uint64_t block)
{
	return image_chunk(image, block).value == NOVA_CHUNK_SLOTS;
}

static void show_zones(struct dump_view *view, const struct image *image)
{
	dump_open(view, "zones", '[');
	for (uint64_t zone = 0; zone < image_zones(image); zone++) {
		uint64_t start = image_zone_start(zone), blocks = image_zone_blocks(image, zone);
		uint64_t chunks = 0, slot_chunks = 0;

		for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS) {
			chunks++;
			slot_chunks += is_slot_chunk(image, start + b);
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
	if (!image_record_valid(record, ring)) {
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

static void show_journal(struct dump_view *view, const struct image *image)
{
	dump_open(view, "journal", '[');
	for (unsigned ring = 0; ring < NOVA_JOURNAL_RINGS; ring++) {
		const struct nova_ring *r = image_ring(image, ring);
		struct image_word commit = image_word_pick(NOVA_WORD_COMMIT, ring, r->commit[0], r->commit[1]);
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

/* ---- all ---------------------------------------------------------------------------------------- */

static void show_inodes(struct dump_view *view, const struct image *image)
{
	dump_open(view, "inodes", '[');
	for (uint64_t zone = 0; zone < image_zones(image); zone++) {
		uint64_t start = image_zone_start(zone), blocks = image_zone_blocks(image, zone);

		for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS) {
			if (!is_slot_chunk(image, start + b))
				continue;
			for (uint64_t i = 0; i < NOVA_SLOTS_PER_CHUNK; i++) {
				uint64_t ino = (start + b) * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE) + i;
				struct image_inode inode;

				if (image_inode(image, ino, &inode) == 0 && !life_has_log(inode.life))
					continue;
				dump_inode(view, image, ino, true);
			}
		}
	}
	dump_close(view, ']');
}

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "farnova dump: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
}

/* The parts that an option selects by a place in the pool. */
static int show_places(const struct options *options, const struct image *image, struct dump_view *view)
{
	uint64_t ino = options->ino;
	bool found;

	if (options->inode_path && dump_find(image, options->inode_path, &ino))
		return fail("the pool has no '%s'; --tree shows its names", options->inode_path);
	if (options->inode) {
		dump_open(view, "selected", '[');
		found = dump_inode(view, image, ino, options->with_log);
		dump_close(view, ']');
		if (!found)
			return fail("inode %" PRIu64 " is no inode slot of the pool; --tree shows the inodes in use",
			            ino);
	}
	if (options->page && !dump_page(view, image, options->page_block))
		return fail("block %" PRIu64 " cannot be a log page", options->page_block);
	if (options->zone && !dump_zone(view, image, options->zone_number))
		return fail("the pool has no zone %" PRIu64, options->zone_number);
	return 0;
}

static int show(const struct options *options, const struct image *image)
{
	struct dump_view view = {.json = {stdout, true}, .as_json = options->as_json};
	bool ok = true;
	int rc;

	if (options->as_json)
		dump_open(&view, NULL, '{');
	if (options->super || options->all) {
		show_super(&view, image);
		show_zones(&view, image);
		dump_checkpoint(&view, image);
	}
	if (options->journal || options->all)
		show_journal(&view, image);
	if (options->free_space || options->all)
		ok = dump_free(&view, image) == 0;
	if (options->clients || options->all)
		ok = dump_clients(&view, image) == 0 && ok;
	if (options->tree || options->all)
		ok = dump_tree(&view, image) && ok;
	rc = show_places(options, image, &view);
	if (options->all)
		show_inodes(&view, image);
	if (options->as_json) {
		dump_close(&view, '}');
		putchar('\n');
	}
	if (!ok)
		return fail("out of memory");
	return rc;
}

static int write_image(const struct options *options, const struct image *image)
{
	uint64_t bytes;
	int rc = dump_image(image, options->out, options->hide_names, &bytes);

	if (rc) {
		fprintf(stderr, "farnova dump: cannot write '%s': %s%s\n", options->out, strerror(-rc),
		        rc == -EEXIST ? "; name a file that does not exist" : "");
		return 1;
	}
	printf("wrote %" PRIu64 " KiB of metadata of a pool of %" PRIu64 " MiB to '%s', a sparse file: pack it with "
	       "`tar --sparse`\n",
	       bytes >> 10, image->size >> 20, options->out);
	return 0;
}

int pool_dump_main(int argc, char **argv)
{
	struct options options;
	struct image image;
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
	rc = image_open(&image, pm.base, pm.size, &reason);
	if (rc) {
		fprintf(stderr, "farnova dump: cannot read '%s': %s\n", options.path, reason);
		pm_close(&pm);
		return 1;
	}
	rc = image_replay(&image) < 0 ? 1
	     : options.metadata_only  ? write_image(&options, &image)
	                              : show(&options, &image);
	image_close(&image);
	pm_close(&pm);
	return rc;
}
