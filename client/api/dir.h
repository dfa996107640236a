/*
 * dir.h -- open directories.
 */
#ifndef FARNOVA_CLIENT_DIR_H
#define FARNOVA_CLIENT_DIR_H

#include "client/session/open_files.h"

/* dir_of -- the directory `file` (opened as one) as a stream; NULL without memory, and the file is closed then. */
struct farnova_dir *dir_of(struct farnova_file *file);

#endif
