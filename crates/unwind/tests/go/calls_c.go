// A chain of calls from Go into C, which runs on a stack of the system's.
package main

/*
volatile unsigned long sink;

static void __attribute__((noinline)) c_burn(unsigned long rounds)
{
	while (rounds--)
		sink++;
}

static void __attribute__((noinline)) c_leaf(void)
{
	c_burn(6000);
	sink++;
}

static void __attribute__((noinline)) c_leaves(void)
{
	for (;;)
		c_leaf();
}
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

//go:noinline
func callsC() {
	C.c_leaves()
}

func init() {
	runtime.LockOSThread()
}

func main() {
	time.AfterFunc(time.Minute, func() { os.Exit(1) })
	fmt.Println("ready")
	callsC()
}
