/*
 * A table as the C header has it: reads `cells`, then `places` (native u64, each array after its length),
 * and writes the cell of the rule of each place, then the offsets of that rule in bytes.
 */
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unwind_table.h"

static __u64 read_number(void)
{
	__u64 number;

	if (fread(&number, sizeof(number), 1, stdin) != 1)
		exit(1);
	return number;
}

static __u64 find(const struct unwind_table *table, const __u64 *cells, __u64 place)
{
	__u64 page = place >> UNWIND_PAGE_BITS;
	__u32 first, after, end;

	if (page < table->first_page || page - table->first_page >= table->page_count)
		return UNWIND_GAP;
	page = cells[unwind_page_cell(page - table->first_page)];
	first = after = unwind_page_first_row(page);
	end = first + unwind_page_row_count(page);
	/* One row after the other: the slow way, on purpose not that of the code in Rust. */
	while (after < end && unwind_row_low(unwind_row(cells[unwind_row_cell(table, after)],
							after)) <= (place & 0xffff))
		after++;
	if (!after)
		return UNWIND_GAP;
	after--;
	return cells[unwind_rule_cell(
		table, unwind_row_rule(unwind_row(cells[unwind_row_cell(table, after)], after)))];
}

int main(void)
{
	__u64 count = read_number();
	__u64 *cells = calloc(count, sizeof(*cells));
	struct unwind_table table;

	if (!cells || count < UNWIND_HEADER_CELLS ||
	    fread(cells, sizeof(*cells), count, stdin) != count)
		return 1;
	memcpy(&table, cells, sizeof(table));
	for (count = read_number(); count; count--) {
		__u64 rule = find(&table, cells, read_number());

		printf("%llu %u %u %lld %lld %lld %u\n", rule, unwind_rule_kind(rule),
		       unwind_rule_base(rule), unwind_rule_cfa(rule), unwind_rule_fp(rule),
		       unwind_rule_ra(rule), unwind_rule_plt_threshold(rule));
	}
	return 0;
}
