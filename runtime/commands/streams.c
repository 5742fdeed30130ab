// See streams.h.
#include "runtime/commands/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

void streams_open(void) {
  // Reading and writing this fails as it does with a closed one. It is always there, as /dev/null is not.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/", O_PATH | O_DIRECTORY) < 0) return;
}

bool streams_written(RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  return file_flush(stdout, "standard output", e);
}
