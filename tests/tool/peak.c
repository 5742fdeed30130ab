// peak FILE COMMAND…: runs the command; the most that it had resident comes to FILE, in bytes. Its exit status is the command's.
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int status = 0;
  struct rusage used;
  pid_t child = argc < 3 ? -1 : fork();
  if (child < 0) return fprintf(stderr, "usage: peak FILE COMMAND...\n"), 2;
  if (child == 0) {
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
  }
  FILE *out = wait4(child, &status, 0, &used) == child ? fopen(argv[1], "w") : NULL;
  if (!out || fprintf(out, "%lld\n", (long long)used.ru_maxrss * 1024) < 0 || fclose(out) != 0) return perror(argv[1]), 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
