/*
 * dir.h -- open directories.
 */
#ifndef FARNOVA_CLIENT_DIR_H
#define FARNOVA_CLIENT_DIR_H

#include "client/session/open_files.h"

/* dir_of -- make a stream of `file`, an open directory; without memory it closes the file and returns NULL. */
struct farnova_dir *dir_of(struct farnova_file *file);

#endif
