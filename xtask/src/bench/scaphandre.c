/* Shows a program a powercap tree and a list of modules of our own, where it looks for the kernel's:
 * $FAKE_POWERCAP for /sys/class/powercap and $FAKE_MODULES for /proc/modules. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *shown(const char *path, char *room, size_t size)
{
	static const char powercap[] = "/sys/class/powercap";
	size_t length = sizeof(powercap) - 1;

	if (strcmp(path, "/proc/modules") == 0)
		return getenv("FAKE_MODULES");
	if (strncmp(path, powercap, length) != 0)
		return path;
	snprintf(room, size, "%s%s", getenv("FAKE_POWERCAP"), path + length);
	return room;
}

#define OPENING(name)                                                                  \
	int name(const char *path, int flags, ...)                                     \
	{                                                                              \
		char room[4096];                                                       \
		va_list rest;                                                          \
		va_start(rest, flags);                                                 \
		mode_t mode = va_arg(rest, mode_t);                                    \
		va_end(rest);                                                          \
		int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);         \
		return real(shown(path, room, sizeof(room)), flags, mode);             \
	}

OPENING(open)
OPENING(open64)

DIR *opendir(const char *path)
{
	char room[4096];
	DIR *(*real)(const char *) = dlsym(RTLD_NEXT, "opendir");

	return real(shown(path, room, sizeof(room)));
}
