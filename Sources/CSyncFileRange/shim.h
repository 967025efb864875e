// glibc declares sync_file_range(2) for _GNU_SOURCE alone, without which Swift imports the C library.
#include <stdint.h>

#define CHAT_SYNC_FILE_RANGE_WAIT_BEFORE 1
#define CHAT_SYNC_FILE_RANGE_WRITE 2
#define CHAT_SYNC_FILE_RANGE_WAIT_AFTER 4

int sync_file_range(int fd, int64_t offset, int64_t count, unsigned int flags);
