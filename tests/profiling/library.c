/*
 * What calls.c calls in other files: a function that does nothing, and one that calls back.
 */
void nothing(void)
{
}

__attribute__((noinline)) void call_back(void (*work)(unsigned long))
{
	work(1);
	/* So that this call is not the last thing that is done. */
	__asm__ volatile("" ::: "memory");
}
