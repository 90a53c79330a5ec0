/* Ends at once, without a library: what executing it takes is the kernel's work. x86-64 only. */
void _start(void)
{
	__asm__ volatile("syscall" : : "a"(231 /* exit_group */), "D"(0));
}
