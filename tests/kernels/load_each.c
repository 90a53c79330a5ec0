/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Has the kernel that runs load the programs of ladders, best rung first, by libbpf and nothing of Chandra's: for
 * kernels of machines that this one builds no Chandra for. Nothing is attached.
 *
 * usage: load_each LADDERS
 *
 * LADDERS has a line for each rung: "SIGNAL HOOK RUNG PROGRAM...", the programs being those of SIGNAL.bpf.o here that the
 * rung needs, those that it goes on in included. For each hook the first rung that loads is told: "SIGNAL HOOK RUNG ok".
 * Where none does, why each did not. Exit code: 0 when every hook has one.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(kind, name)
#include "abi.h"

static char said[65536];

static int listen(enum libbpf_print_level level, const char *format, va_list words)
{
	size_t used = strlen(said);

	if (level == LIBBPF_WARN && used < sizeof(said) - 1)
		vsnprintf(said + used, sizeof(said) - used, format, words);
	return 0;
}

/* Where `config` lies in .rodata; libbpf has told BTF so when it opened the object. */
static int config_offset(const struct bpf_object *object)
{
	const struct btf *btf = bpf_object__btf(object);
	int section = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *type = section > 0 ? btf__type_by_id(btf, section) : NULL;
	const struct btf_var_secinfo *place = type ? btf_var_secinfos(type) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_type *variable = btf__type_by_id(btf, place[i].type);

		if (!strcmp(btf__name_by_offset(btf, variable->name_off), "config"))
			return place[i].offset;
	}
	return -1;
}

/* As much is asked for as can be, so that the verifier walks all of the code. */
static void configure(struct bpf_object *object)
{
	struct config config = { .wake_interval_ns = 1000000,
				 .wake_bytes = 1 << 16,
				 .interval_ns = 1000000000,
				 .budget_record_ns = 1000000,
				 .budget_burst_ns = 1000000000,
				 .kinds = ~0u,
				 .sends_records = 1,
				 .selects_cgroups = 1,
				 .selects_paths = 1,
				 .sends_environment = 1 };
	int offset = config_offset(object);
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		size_t bytes = 0;
		const void *value = bpf_map__initial_value(map, &bytes);
		char *own;

		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF && !bpf_map__max_entries(map))
			bpf_map__set_max_entries(map, 1 << 20);
		if (!value || offset < 0 || !strstr(bpf_map__name(map), ".rodata") ||
		    offset + sizeof(config) > bytes)
			continue;
		own = malloc(bytes);
		if (!own)
			continue;
		memcpy(own, value, bytes);
		memcpy(own + offset, &config, sizeof(config));
		bpf_map__set_initial_value(map, own, bytes);
		free(own);
	}
}

/* Loads the named programs of an object, together; 0, or libbpf's error. */
static int load_programs(const char *file, char *const *names, int count)
{
	struct bpf_object *object = bpf_object__open_file(file, NULL);
	struct bpf_program *program;
	int found = 0, error;

	if (!object)
		return -errno;
	bpf_object__for_each_program(program, object)
	{
		bool is_named = false;

		for (int i = 0; i < count; i++)
			is_named |= !strcmp(bpf_program__name(program), names[i]);
		found += is_named;
		bpf_program__set_autoload(program, is_named);
	}
	configure(object);
	error = found == count ? bpf_object__load(object) : -ENOENT;
	bpf_object__close(object);
	return error;
}

#define MOST_WORDS 64

int main(int count, char **arguments)
{
	FILE *ladders = count == 2 ? fopen(arguments[1], "r") : NULL;
	char line[4096], hook[256] = "", file[256];
	int good = 0, bad = 0;
	bool has_one = true;

	if (!ladders) {
		fprintf(stderr, "usage: load_each LADDERS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	libbpf_set_print(listen);
	while (fgets(line, sizeof(line), ladders)) {
		char *words[MOST_WORDS], own[256];
		int length = 0, error;

		for (char *word = strtok(line, " \n"); word && length < MOST_WORDS;
		     word = strtok(NULL, " \n"))
			words[length++] = word;
		if (length < 4)
			continue;
		snprintf(own, sizeof(own), "%s %s", words[0], words[1]);
		if (strcmp(own, hook)) {
			bad += !has_one;
			has_one = false;
			said[0] = 0;
			strcpy(hook, own);
		}
		if (has_one)
			continue;
		snprintf(file, sizeof(file), "%s.bpf.o", words[0]);
		error = load_programs(file, words + 3, length - 3);
		has_one = !error;
		good += has_one;
		printf("%s %s %s\n", own, words[2], error ? strerror(-error) : "ok");
		if (error && error != -ESRCH && error != -ENOENT)
			printf("%s\n", said + (strlen(said) > 1500 ? strlen(said) - 1500 : 0));
	}
	bad += !has_one;
	printf("%d passed, %d failed\n", good, bad);
	return bad ? 1 : 0;
}
