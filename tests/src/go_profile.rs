//! A profile that is not ours: a Go program that burns CPU under labels, profiled by Go's own runtime.

use std::path::PathBuf;
use std::process::Command;

use crate::scratch::Scratch;

/// Two functions in two pods of a namespace, and a label that nobody knows.
const PROGRAM: &str = r#"
package main

import (
	"context"
	"os"
	"runtime/pprof"
	"syscall"
)

//go:noinline
func heavy(n int) int {
	s := 0
	for i := 0; i < n; i++ {
		s += i * i
	}
	return s
}

//go:noinline
func light(n int) int {
	s := 1
	for i := 1; i < n; i++ {
		s ^= i * 3
	}
	return s
}

var sum int

// Of CPU time and not of time: on a busy machine a second may go by without a sample.
func milliseconds() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Sec*1000 + usage.Utime.Usec/1000
}

func main() {
	out, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	pprof.StartCPUProfile(out)
	web := pprof.Labels("pod", "web-1", "namespace", "shop")
	db := pprof.Labels("pod", "db-1", "namespace", "shop", "shard", "7")
	for milliseconds() < 1000 {
		pprof.Do(context.Background(), web, func(context.Context) { sum += heavy(3000000) })
		pprof.Do(context.Background(), db, func(context.Context) { sum += light(1000000) })
	}
	pprof.StopCPUProfile()
	out.Close()
}
"#;

/// Its profile of a second of CPU, in this folder.
///
/// # Panics
/// When it cannot be built or run.
pub fn take(scratch: &Scratch) -> PathBuf {
    let (source, program) = (scratch.at("main.go"), scratch.at("burn"));
    std::fs::write(&source, PROGRAM).unwrap();
    let mut build = Command::new("go");
    build.env("GO111MODULE", "off").env("GOCACHE", scratch.at("cache")).env("GOFLAGS", "");
    build.arg("build").arg("-o").arg(&program).arg(&source);
    assert!(build.status().unwrap().success(), "go build");
    let profile = scratch.at("cpu.pb.gz");
    assert!(Command::new(program).arg(&profile).status().unwrap().success());
    profile
}

/// What `go tool pprof` says of a file with these options, by the names that are in it.
///
/// # Panics
/// When it refuses.
pub fn pprof(scratch: &Scratch, options: &[&str], file: &std::path::Path) -> String {
    let mut command = Command::new("go");
    command.env("GOCACHE", scratch.at("cache")).env("PPROF_TMPDIR", scratch.path());
    let output = command
        .args(["tool", "pprof", "-symbolize=none"])
        .args(options)
        .arg(file)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}
