// A program in Go with a few functions, for its line table.
package main

import (
	"fmt"
	"os"
	"strings"
)

type server struct{ names []string }

//go:noinline
func (s *server) count(word string) int {
	total := 0
	for _, name := range s.names {
		total += strings.Count(name, word)
	}
	return total
}

func main() {
	s := &server{names: os.Args}
	func() { fmt.Println(s.count("a")) }()
}
