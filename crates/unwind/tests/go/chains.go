// Known chains of calls in Go, as in ../c/chains.c. The first thread runs them, until the process is killed.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

var sink uint64
var current byte

//go:noinline
func burn(rounds int) {
	for ; rounds > 0; rounds-- {
		sink++
	}
}

//go:noinline
func leafA() {
	current = 'a'
	burn(6000)
	current = 0
}

//go:noinline
func leafB() {
	current = 'b'
	burn(3000)
	current = 0
}

//go:noinline
func leaves() {
	leafA()
	leafB()
	sink++
}

//go:noinline
func recurse(depth int) {
	if depth > 0 {
		recurse(depth - 1)
	} else {
		for {
			leaves()
		}
	}
	sink++
}

//go:noinline
func inVdso() {
	for {
		sink += uint64(time.Now().Nanosecond())
	}
}

func init() {
	runtime.LockOSThread()
}

func main() {
	// No more than a forgotten process may take.
	time.AfterFunc(time.Minute, func() { os.Exit(1) })
	fmt.Println("ready")
	switch os.Args[1] {
	case "shallow":
		recurse(3)
	case "deep":
		recurse(700)
	case "in_vdso":
		inVdso()
	}
	sink++
}
