//! From C by way of clang's BTF to Rust: what comes across, what is refused, and what damage does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test states what it expects by stopping where that does not hold"
)]

use std::path::PathBuf;
use std::process::Command;

use chandra_bpf_build::btf::{self, BtfError, Exports};
use chandra_bpf_build::compile::{self, CompileError};
use chandra_bpf_build::generate;

const PRELUDE: &str = "
typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
#define EXPORT(kind, name) const kind name *const volatile export_##name = 0
";

const EVERYTHING: &str = "
enum colour { RED, GREEN = 7, BLUE = 0xffffffff };
struct point { __s16 x; __s16 y; };
struct inner { __u8 tag; struct point corners[2]; __u64 wide; };
typedef struct inner inner_t;
struct everything {
	__u8 u8; __s8 s8; __u16 u16; __s16 s16; __u32 u32; __s32 s32; __u64 u64; __s64 s64;
	_Bool yes;
	char letter;
	enum colour colour;
	__u16 grid[2][3];
	const inner_t inner;
	inner_t many[2];
	__u32 type; /* a word of Rust */
	__u64 self;
	__u8 rest[];
};
const volatile __u32 before = 1;
const volatile struct everything config = {};
EXPORT(struct, everything);
EXPORT(enum, colour);
";

/// Compiles C to an object in a file of its own.
fn object(name: &str, c: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, object) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.o")));
    std::fs::write(&source, format!("{PRELUDE}{c}")).unwrap();
    compile::compile(&source, &[], std::env::consts::ARCH, &object).unwrap();
    std::fs::read(object).unwrap()
}

fn exports(name: &str, c: &str) -> Result<Exports, BtfError> {
    btf::exports(&object(name, c))
}

#[test]
fn the_rust_twin_reads_and_writes_what_the_compiler_laid_out() {
    let exports = exports("everything", EVERYTHING).unwrap();
    let names: Vec<_> = exports.structs.iter().map(|item| &*item.name).collect();
    assert_eq!(names, ["point", "inner", "everything"], "those inside come first, each once");

    // The twin is compiled by rustc as a build script's would be, and runs.
    let main = r#"
        mod twin { include!(concat!(env!("TWIN"))); }
        use twin::{Everything, Inner, Point, colour};
        fn main() {
            let inner = |tag, wide| Inner {
                tag, wide, corners: [Point { x: -1, y: 2 }, Point { x: i16::MIN, y: i16::MAX }],
            };
            let all = Everything {
                u8: 200, s8: -100, u16: 60_000, s16: -30_000, u32: 4_000_000_000,
                s32: -2_000_000_000, u64: u64::MAX - 1, s64: i64::MIN, yes: 1, letter: -5,
                colour: colour::BLUE, grid: [[1, 2, 3], [4, 5, 6]], inner: inner(9, 10),
                many: [inner(11, 12), inner(13, 14)], r#type: 15, self_: 16, rest: [],
            };
            let bytes = all.to_array();
            assert_eq!(bytes.len(), Everything::BYTES);
            assert_eq!(Everything::read(&bytes), Some(all));
            assert_eq!(Everything::read(&bytes[1..]), None);
            let mut longer = bytes.to_vec();
            longer.extend([0xff; 9]);
            assert_eq!(Everything::read(&longer), Some(all));
            assert_eq!(Everything::ZERO.to_array(), [0; Everything::BYTES]);
            assert_eq!((colour::RED, colour::GREEN), (0, 7));
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("{hex} {} {}", Everything::OFFSET_OF_TYPE, Everything::OFFSET_OF_REST);
        }
    "#;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (twin, source, program) =
        (folder.join("twin.rs"), folder.join("twin_main.rs"), folder.join("twin_main"));
    std::fs::write(&twin, generate::rust(&exports)).unwrap();
    std::fs::write(&source, main).unwrap();
    let compiled = Command::new(std::env::var("RUSTC").unwrap_or("rustc".to_owned()))
        .args(["--edition", "2024", "-A", "dead_code", "-o"])
        .args([&program, &source])
        .env("TWIN", &twin)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // What clang lays out for the same values, padding zero. The BPF machine is little endian here.
    let values = "
        #define INNER(a, b) { .tag = a, .corners = { { -1, 2 }, { -32768, 32767 } }, .wide = b }
        const struct everything values __attribute__((section(\"rodata_values\"))) = {
        200, -100, 60000, -30000, 4000000000u, -2000000000, ~0ull - 1, -__LONG_LONG_MAX__ - 1, 1,
        -5, BLUE, { { 1, 2, 3 }, { 4, 5, 6 } }, INNER(9, 10), { INNER(11, 12), INNER(13, 14) },
        15, 16 };
        _Static_assert(__builtin_offsetof(struct everything, type) == OFFSET_OF_TYPE, \"\");
        _Static_assert(__builtin_offsetof(struct everything, rest) == OFFSET_OF_REST, \"\");
    ";
    let text = String::from_utf8(output.stdout).unwrap();
    let [hex, type_offset, rest_offset] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    let places =
        format!("#define OFFSET_OF_TYPE {type_offset}\n#define OFFSET_OF_REST {rest_offset}\n");
    let theirs = object("values", &format!("{places}{EVERYTHING}{values}"));
    let ours: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    assert!(theirs.windows(ours.len()).any(|window| window == ours), "clang lays it out otherwise");
}

#[test]
fn the_configuration_is_found_wherever_it_lies() {
    assert_eq!(exports("config_second", EVERYTHING).unwrap().config_offset, 8);
    let first = "struct config { __u32 a; };
        const volatile struct config config = {};
        const volatile __u64 after = 1;";
    assert_eq!(exports("config_first", first).unwrap().config_offset, 0);
    let many = "const volatile __u64 a[100] = { 1 }; struct config { __u32 a; };
        const volatile struct config config = {}; const volatile __u8 config_of_another = 1;";
    assert_eq!(exports("config_late", many).unwrap().config_offset, 800);
}

#[test]
fn what_cannot_cross_is_refused_with_its_path() {
    let refused = [
        (
            "pointer",
            "struct inner { void *next; }; struct r { __u32 a; struct inner in; };",
            "r.in.next: a pointer cannot be part of a record",
        ),
        (
            "array_of_pointers",
            "struct r { __u32 a; char *all[4]; };",
            "r.all: a pointer cannot be part of a record",
        ),
        (
            "union",
            "struct r { __u32 a; union { __u32 b; __u8 c[4]; } both; };",
            "r.both: a union cannot be part of a record",
        ),
        (
            "bit_field",
            "struct r { __u32 a : 31; __u32 b : 1; };",
            "r.a: a bit field cannot be part of a record",
        ),
        (
            "bit_field_of_bytes",
            "struct r { __u32 first; __u32 a : 8; __u32 b : 24; };",
            "r.a: a bit field cannot be part of a record",
        ),
        (
            "bit_field_between",
            "struct r { __u8 first; __u8 : 3; __u8 a : 5; };",
            "r.a: a bit field cannot be part of a record",
        ),
        (
            "unnamed_member",
            "struct r { __u32 a; struct { __u32 x; }; };",
            "r.: a struct without a name cannot be part of a record",
        ),
        (
            "unnamed_struct",
            "struct r { __u32 a; struct { __u32 x; } point; };",
            "r.point: a struct without a name cannot be part of a record",
        ),
        ("float", "struct r { double a; };", "r.a: this type cannot be part of a record"),
        (
            "wide",
            "struct r { __int128 a; };",
            "r.a: a number of this size cannot be part of a record",
        ),
        ("forward", "struct r;", "r: this type cannot be part of a record"),
        (
            "enormous",
            "struct r { __u8 a[1 << 20]; };",
            "r.a: a type of so many parts cannot be part of a record",
        ),
    ];
    for (name, c, words) in refused {
        let error = exports(name, &format!("{c} EXPORT(struct, r);")).unwrap_err();
        assert_eq!(error.to_string(), words, "{name}");
    }
    let value = "struct r { __u32 a; }; const volatile struct r export_r = {};";
    let error = exports("no_pointer", value).unwrap_err();
    assert_eq!(error.to_string(), "r: this type cannot be part of a record");
}

#[test]
fn an_object_without_types_says_what_is_missing() {
    let error = btf::exports(b"not an object").unwrap_err();
    assert!(error.to_string().contains("no .BTF section"), "{error}");
    assert!(matches!(btf::exports(&[]), Err(BtfError::NoSection(".BTF"))));
}

#[test]
fn a_compiler_that_refuses_is_quoted() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join("refused.c");
    std::fs::write(&source, "int f(void) { return unknown; }").unwrap();
    let error = compile::compile(&source, &[], std::env::consts::ARCH, &folder.join("refused.o"));
    let error = error.unwrap_err();
    assert!(matches!(&error, CompileError::Refused { source_file, .. } if *source_file == source));
    assert!(error.to_string().contains("undeclared identifier 'unknown'"), "{error}");
}

/// A small generator of numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

#[test]
fn a_damaged_object_is_an_error_and_never_a_panic() {
    let whole = object("damaged", EVERYTHING);
    let expected = btf::exports(&whole).unwrap();
    let types = whole.windows(4).position(|four| four == [0x9f, 0xeb, 1, 0]).unwrap();
    let (mut same, mut other, mut refused) = (0, 0, 0);
    let mut random = Random(20_261_122);
    for round in 0..20_000 {
        let mut damaged = whole.clone();
        for _ in 0..1 + random.below(4) {
            // Mostly the types and the headers: that is what is read.
            let at = match random.below(4) {
                0 => random.below(64),
                1 => whole.len() - 1 - random.below(whole.len().min(4096)),
                _ => (types + random.below(2048)).min(whole.len() - 1),
            };
            damaged[at] = match random.below(3) {
                0 => 0xff,
                1 => damaged[at] ^ 1 << random.below(8),
                _ => random.below(256) as u8,
            };
        }
        if round % 4 == 0 {
            damaged.truncate(random.below(damaged.len()));
        }
        match btf::exports(&damaged) {
            Ok(exports) if exports == expected => same += 1,
            // Other names or numbers, but still types: they can be written down.
            Ok(exports) => {
                assert!(generate::rust(&exports).len() < 64 << 20);
                other += 1;
            }
            Err(_) => refused += 1,
        }
    }
    println!("{same} as before, {other} otherwise, {refused} refused");
    assert!(same > 100 && other > 100 && refused > 1000);
}

#[test]
fn types_that_go_round_in_circles_end() {
    // Each type's reference, in turn, is led to each type: arrays of themselves, structs within
    // themselves, typedefs of themselves.
    let whole = object("circles", EVERYTHING);
    let types = whole.windows(4).position(|four| four == [0x9f, 0xeb, 1, 0]).unwrap();
    let mut ends = 0;
    for at in (types + 24..types + 1024).step_by(4) {
        for id in 0..40_u32 {
            let mut damaged = whole.clone();
            damaged[at..at + 4].copy_from_slice(&id.to_le_bytes());
            ends += usize::from(btf::exports(&damaged).is_err());
        }
    }
    assert!(ends > 100);
}
