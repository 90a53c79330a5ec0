//! The attach ladder on the running kernel: what it takes, what it refuses, and with which words.

use std::path::PathBuf;
use std::process::Command;

use chandra_loader::abi::Config;
use chandra_loader::btf::NoBtf;
use chandra_loader::load::{LoadError, Loaded, Options};
use chandra_loader::ring::RingChoice;
use chandra_loader::spec::{Hook, Rung};
use chandra_loader::verdict::{HookVerdict, Step, Verdict};
use chandra_loader::{batch, ledger, memory};
use libbpf_rs::{MapCore, MapFlags, MapType};

use crate::common::{is_root, load, load_resized, map, packed, spec};

const fn rung(name: &'static str, programs: &'static [&'static str]) -> Rung {
    Rung { name, programs, tail_calls: &[], per_packet: false, on_named: false }
}

fn verdict<'a>(loaded: &'a Loaded, hook: &str) -> &'a HookVerdict {
    loaded.hooks.iter().find(|verdict| verdict.hook == hook).expect("the signal has the hook")
}

#[test]
fn a_program_that_the_verifier_refuses_moves_its_hook_one_rung_down() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[Hook {
        name: "config",
        ladder: &[
            rung("tp_btf", &["bad_argument"]),
            rung("raw_tp+access", &["bad_access"]),
            rung("raw_tp", &["good"]),
        ],
    }];
    let loaded = load(&spec("ladder", false, HOOKS), Config::ZERO, &Options::default()).unwrap();
    let found = verdict(&loaded, "config");
    assert_eq!(found.verdict, Verdict::Active("raw_tp"));
    let [argument, access] = &found.refusals[..] else { panic!("{found:?}") };
    assert_eq!((argument.rung, argument.step), ("tp_btf", Step::Load));
    assert_eq!(argument.errno, libc::EACCES);
    assert!(
        argument.words.contains("argument") || argument.words.contains("invalid bpf_context"),
        "{argument}"
    );
    assert_eq!((access.rung, access.step), ("raw_tp+access", Step::Load));
    assert_eq!(access.errno, libc::EACCES);
    assert_eq!(access.words, "R1 invalid mem access 'scalar'");
}

#[test]
fn a_rung_on_the_path_of_every_packet_is_tried_only_where_that_is_asked_for() {
    if !is_root() {
        return;
    }
    const EVERY: Rung = Rung { per_packet: true, ..rung("raw_tp", &["good"]) };
    static HOOKS: &[Hook] = &[
        Hook { name: "config", ladder: &[EVERY, rung("tracepoint", &["good_call"])] },
        Hook { name: "tasks", ladder: &[rung("tp_btf", &["bad_argument"]), EVERY] },
        Hook { name: "call", ladder: &[EVERY] },
    ];
    let verdicts = |packet_hooks| {
        let options = Options { packet_hooks, ..Options::default() };
        let loaded = load(&spec("ladder", false, HOOKS), Config::ZERO, &options).unwrap();
        ["config", "tasks", "call"].map(|hook| verdict(&loaded, hook).verdict.clone())
    };
    assert_eq!(
        verdicts(true),
        [Verdict::Active("raw_tp"), Verdict::Active("raw_tp"), Verdict::Active("raw_tp")]
    );
    let [config, tasks, call] = verdicts(false);
    assert_eq!((config, call), (Verdict::Active("tracepoint"), Verdict::Off));
    let Verdict::Failed(words) = tasks else { panic!("{tasks:?}") };
    assert!(
        words
            .ends_with("raw_tp not tried: it is on the path of every packet (--packet-hooks true)")
    );
}

#[test]
fn a_refusal_to_attach_moves_its_hook_one_rung_down_and_leaves_the_others_active() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[
        Hook { name: "config", ladder: &[rung("raw_tp", &["good"])] },
        Hook {
            name: "call",
            ladder: &[
                rung("kprobe", &["no_function"]),
                rung("tracepoint+no", &["no_call"]),
                rung("tracepoint", &["good_call"]),
            ],
        },
        Hook { name: "tasks", ladder: &[rung("iter", &["tasks"])] },
    ];
    let loaded = load(&spec("ladder", false, HOOKS), Config::ZERO, &Options::default()).unwrap();
    let call = verdict(&loaded, "call");
    assert_eq!(call.verdict, Verdict::Active("tracepoint"));
    let refused: Vec<_> =
        call.refusals.iter().map(|refusal| (refusal.rung, refusal.step, refusal.errno)).collect();
    assert_eq!(
        refused,
        [("kprobe", Step::Attach, libc::ENOENT), ("tracepoint+no", Step::Attach, libc::ENOENT)]
    );
    // Where the kernel has no kprobes at all, that is said instead.
    let words = &call.refusals[0].words;
    assert!(words.contains("chandra_no_such_function") || words.contains("no kprobes"), "{words}");
    assert!(call.refusals[1].words.contains("chandra_no_such_call"), "{}", call.refusals[1]);
    assert_eq!(verdict(&loaded, "config").verdict, Verdict::Active("raw_tp"));
    assert_eq!(verdict(&loaded, "tasks").verdict, Verdict::Active("iter"));

    // And the rung that is said to serve really does.
    let before = ledger::read(loaded.object()).seen;
    for _ in 0..3 {
        // SAFETY: no preconditions.
        unsafe { libc::getpgid(0) };
    }
    let counters = ledger::read(loaded.object());
    assert!(counters.seen >= before + 3);
    assert_eq!(counters.imbalance(), 0);
    let mut pids = Vec::new();
    loaded.iterate("tasks", &mut pids).unwrap();
    let own = std::process::id().to_ne_bytes();
    assert!(pids.chunks_exact(4).any(|pid| pid == own));
    assert!(loaded.iterate("no such hook", &mut pids).is_err());
    assert!(loaded.iterate("config", &mut pids).is_err(), "a tracepoint cannot be iterated");
}

#[test]
fn when_the_second_program_of_a_rung_cannot_attach_the_first_is_detached_again() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[Hook {
        name: "call",
        ladder: &[
            rung("tracepoint+no", &["good_call", "no_call"]),
            rung("tracepoint", &["good_call"]),
        ],
    }];
    let loaded = load(&spec("ladder", false, HOOKS), Config::ZERO, &Options::default()).unwrap();
    assert_eq!(verdict(&loaded, "call").verdict, Verdict::Active("tracepoint"));
    let before = ledger::read(loaded.object()).seen;
    for _ in 0..1000 {
        // SAFETY: no preconditions.
        unsafe { libc::getpgid(0) };
    }
    // Others may call it too, but a program attached twice would count each call twice.
    let seen = ledger::read(loaded.object()).seen - before;
    assert!((1000..2000).contains(&seen), "{seen}");
}

#[test]
fn a_hook_without_a_rung_left_says_what_the_kernel_lacks() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[
        Hook {
            name: "lacking",
            ladder: &[rung("tp_btf", &["no_tracepoint"]), rung("kprobe", &["no_function"])],
        },
        Hook { name: "unattachable", ladder: &[rung("socket", &["not_attachable"])] },
        Hook { name: "wrong", ladder: &[rung("raw_tp", &["bad_access"])] },
        Hook { name: "misnamed", ladder: &[rung("raw_tp", &["no_such_program"])] },
        Hook { name: "config", ladder: &[rung("raw_tp", &["good"])] },
    ];
    let loaded = load(&spec("ladder", false, HOOKS), Config::ZERO, &Options::default()).unwrap();
    let lacking = verdict(&loaded, "lacking");
    let Verdict::Unsupported(words) = &lacking.verdict else { panic!("{lacking:?}") };
    assert!(words.contains("tp_btf refused at load: "), "{words}");
    assert!(words.contains("chandra_no_such_tracepoint"), "{words}");
    assert!(words.contains("; kprobe refused at attach: "), "{words}");
    assert_eq!(lacking.refusals[0].errno, libc::ESRCH);

    let unattachable = verdict(&loaded, "unattachable");
    assert_eq!(unattachable.verdict.word(), "unsupported", "{unattachable:?}");
    assert_eq!(unattachable.refusals[0].errno, libc::EOPNOTSUPP);

    let wrong = verdict(&loaded, "wrong");
    assert_eq!(
        wrong.verdict,
        Verdict::Failed("raw_tp refused at load: R1 invalid mem access 'scalar'".to_owned())
    );
    assert_eq!(verdict(&loaded, "misnamed").verdict.word(), "unsupported");
    assert_eq!(verdict(&loaded, "config").verdict, Verdict::Active("raw_tp"));
}

#[test]
fn tracepoints_are_found_where_nobody_mounted_tracefs() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[Hook { name: "call", ladder: &[rung("tracepoint", &["good_call"])] }];
    let kernel_btf = std::fs::read(chandra_loader::btf::KERNEL_BTF).unwrap();
    let nothing = c"tmpfs".as_ptr();
    // SAFETY: all texts are constants that end with NUL; only this thread's mounts change.
    let hidden = unsafe {
        let none = std::ptr::null();
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(nothing, c"/".as_ptr(), nothing, libc::MS_REC | libc::MS_PRIVATE, none)
                == 0
            && libc::mount(nothing, c"/sys/kernel".as_ptr(), nothing, 0, none) == 0
    };
    assert!(hidden, "{}", std::io::Error::last_os_error());
    // The kernel's BTF, too, is out of sight now: a copy will do.
    let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("without-tracefs.btf");
    std::fs::write(&copy, kernel_btf).unwrap();
    let options = Options { btf: Some(copy), ..Options::default() };
    let loaded = load(&spec("ladder", false, HOOKS), Config::ZERO, &options).unwrap();
    assert_eq!(verdict(&loaded, "call").verdict, Verdict::Active("tracepoint"));
}

#[test]
fn a_hook_nobody_asked_for_is_off() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[
        Hook { name: "config", ladder: &[rung("raw_tp", &["good"])] },
        Hook { name: "wrong", ladder: &[rung("raw_tp", &["bad_access"])] },
    ];
    let spec = spec("ladder", false, HOOKS);
    let options = Options::default();
    let loaded = chandra_loader::load::load(&chandra_loader::load::Request {
        spec: &spec,
        hooks: &["config"],
        config: Config::ZERO,
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &options,
    })
    .unwrap();
    assert_eq!(verdict(&loaded, "wrong").verdict, Verdict::Off);
    assert!(verdict(&loaded, "config").verdict.is_active());
}

#[test]
fn a_program_sees_the_configuration_wherever_it_lies_among_the_constants() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[Hook { name: "config", ladder: &[rung("raw_tp", &["good"])] }];
    let spec = spec("ladder", false, HOOKS);
    assert_ne!(spec.config_offset, 0, "another constant lies before it");
    let mut asked = Config { kinds: 5, group_by: 4711, cgroup_ids: [3; 8], ..Config::ZERO };
    asked.comms[7] = *b"a-name-of-16-byt";
    let loaded = load(&spec, asked, &Options::default()).unwrap();
    // The program runs at each system call, this one among them.
    let seen = map(loaded.object(), "seen_config").lookup(&[0; 4], MapFlags::ANY).unwrap().unwrap();
    let seen = Config::read(&seen).unwrap();
    let set_by_the_loader = Config {
        wake_interval_ns: asked.wake_interval_ns,
        wake_bytes: asked.wake_bytes,
        interval_ns: asked.interval_ns,
        use_perf_buffer: asked.use_perf_buffer,
        ..seen
    };
    assert_eq!(set_by_the_loader, asked);
    assert_eq!(seen.wake_interval_ns, 1_000_000);
    assert_eq!(seen.wake_bytes, loaded.ring_bytes as u64 / 4);
}

#[test]
fn maps_have_the_size_that_was_asked_for() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[];
    let spec = spec("ladder", true, HOOKS);
    let sizes = |config: Config, ring: RingChoice, entries: &[(&str, u32)]| {
        let options = Options { ring, ring_bytes: Some(100_000), ..Options::default() };
        let loaded = load_resized(&spec, config, &options, entries).unwrap();
        assert_eq!(loaded.ring_bytes, 131_072);
        ["table", "groups", "events"].map(|name| {
            let map = map(loaded.object(), name);
            (map.map_type(), map.max_entries())
        })
    };
    let cpus = u32::try_from(memory::machine().0).unwrap();
    assert_eq!(
        sizes(Config::ZERO, RingChoice::Auto, &[("table", 1000), ("groups", 5)]),
        [(MapType::Hash, 1000), (MapType::PercpuHash, 1), (MapType::RingBuf, 131_072)]
    );
    let grouped = Config { group_by: 1, ..Config::ZERO };
    assert_eq!(
        sizes(grouped, RingChoice::Perf, &[("groups", 77)]),
        [(MapType::Hash, 16), (MapType::PercpuHash, 77), (MapType::PerfEventArray, cpus)]
    );
}

#[test]
fn a_signal_that_only_counts_has_no_ring() {
    if !is_root() {
        return;
    }
    let loaded = load(&spec("ladder", false, &[]), Config::ZERO, &Options::default()).unwrap();
    // libbpf keeps its name, but nothing stands behind it.
    assert!(map(loaded.object(), "events").info().is_err());
    assert!(map(loaded.object(), "ledger").info().is_ok());
}

#[test]
fn a_signal_that_sends_needs_a_ring() {
    if !is_root() {
        return;
    }
    // The chain has no `events`.
    let error = load(&spec("chain", true, &[]), Config::ZERO, &Options::default()).unwrap_err();
    assert!(matches!(&error, LoadError::Object { signal: "chain", .. }), "{error:?}");
    assert!(error.to_string().contains("no map `events`"), "{error}");
}

#[test]
fn what_is_no_object_is_refused_in_libbpfs_words() {
    let mut spec = spec("chain", false, &[]);
    spec.object = packed(b"this is no ELF");
    let error = load(&spec, Config::ZERO, &Options::default()).unwrap_err();
    let LoadError::Object { signal: "chain", words } = &error else { panic!("{error:?}") };
    assert!(words.contains("ELF"), "{words}");
}

#[test]
fn without_type_information_the_error_says_which_file() {
    let load_with = |btf: &str| {
        let options = Options { btf: Some(PathBuf::from(btf)), ..Options::default() };
        load(&spec("ladder", false, &[]), Config::ZERO, &options).unwrap_err()
    };
    let missing = load_with("/no/such/file");
    assert!(matches!(&missing, LoadError::NoBtf(NoBtf::Unreadable { .. })), "{missing:?}");
    assert!(missing.to_string().contains("/no/such/file"), "{missing}");

    let tmp = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let nothing = tmp.join("empty.btf");
    std::fs::write(&nothing, b"").unwrap();
    let cut = tmp.join("cut.btf");
    std::fs::write(&cut, [0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0xff, 0xff]).unwrap();
    let other = std::env::current_exe().unwrap();
    for file in [
        "/etc/passwd",
        "/",
        nothing.to_str().unwrap(),
        cut.to_str().unwrap(),
        other.to_str().unwrap(),
    ] {
        let error = load_with(file);
        assert!(matches!(&error, LoadError::NoBtf(NoBtf::NotBtf(_))), "{file}: {error:?}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_named_btf_file_is_used() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[Hook { name: "tasks", ladder: &[rung("iter", &["tasks"])] }];
    let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("vmlinux.btf");
    std::fs::copy(chandra_loader::btf::KERNEL_BTF, &copy).unwrap();
    let options = Options { btf: Some(copy.clone()), ..Options::default() };
    let loaded = load(&spec("ladder", false, HOOKS), Config::ZERO, &options).unwrap();
    let mut pids = Vec::new();
    loaded.iterate("tasks", &mut pids).unwrap();
    assert!(pids.chunks_exact(4).any(|pid| pid == std::process::id().to_ne_bytes()));
    let names = chandra_loader::btf::enum_names(Some(&copy), "pid_type");
    assert!(names.contains(&(1, "PIDTYPE_TGID".to_owned())), "{names:?}");
    assert_eq!(chandra_loader::btf::enum_names(None, "pid_type"), names);
    assert!(chandra_loader::btf::enum_names(None, "no_such_enum").is_empty());
}

#[test]
fn a_map_of_absurd_size_is_an_error_that_names_it() {
    if !is_root() {
        return;
    }
    let spec = spec("ladder", false, &[]);
    let error = load_resized(&spec, Config::ZERO, &Options::default(), &[("table", u32::MAX)]);
    let error = error.unwrap_err();
    let LoadError::Map { words, errno } = &error else { panic!("{error:?}") };
    assert!(words.contains("map 'table': failed to create"), "{words}");
    assert!([libc::E2BIG, libc::ENOMEM].contains(errno), "{errno}");
}

#[test]
fn detaching_keeps_the_maps() {
    if !is_root() {
        return;
    }
    static HOOKS: &[Hook] = &[Hook { name: "call", ladder: &[rung("tracepoint", &["good_call"])] }];
    let mut loaded =
        load(&spec("ladder", false, HOOKS), Config::ZERO, &Options::default()).unwrap();
    // SAFETY: no preconditions.
    unsafe { libc::getpgid(0) };
    loaded.detach();
    let seen = ledger::read(loaded.object()).seen;
    assert!(seen >= 1);
    // SAFETY: no preconditions.
    unsafe { libc::getpgid(0) };
    assert_eq!(ledger::read(loaded.object()).seen, seen, "nothing is counted any more");
    assert!(batch::lookup(&map(loaded.object(), "table")).unwrap().is_empty());
}

#[test]
fn signals_that_load_at_once_keep_their_own_words() {
    if !is_root() {
        return;
    }
    static VERIFIER: &[Hook] = &[Hook {
        name: "hook",
        ladder: &[rung("raw_tp+access", &["bad_access"]), rung("raw_tp", &["good"])],
    }];
    static MISSING: &[Hook] = &[Hook {
        name: "hook",
        ladder: &[rung("tracepoint+no", &["no_call"]), rung("raw_tp", &["good"])],
    }];
    let (verifier, missing) = (spec("ladder", false, VERIFIER), spec("ladder", false, MISSING));
    std::thread::scope(|scope| {
        for (spec, part) in
            [(&verifier, "invalid mem access"), (&missing, "chandra_no_such_call")].repeat(2)
        {
            scope.spawn(move || {
                for _ in 0..20 {
                    let loaded = load(spec, Config::ZERO, &Options::default()).unwrap();
                    let hook = verdict(&loaded, "hook");
                    assert_eq!(hook.verdict, Verdict::Active("raw_tp"));
                    assert_eq!(hook.refusals.len(), 1);
                    assert!(hook.refusals[0].words.contains(part), "{}", hook.refusals[0]);
                }
            });
        }
    });
}

const WITHOUT: &str = "CHANDRA_TEST_WITHOUT";

/// Runs in a process of its own, which lacks what the test below took from it.
#[test]
fn loads_without_a_capability() {
    if std::env::var(WITHOUT).is_err() {
        println!("skipped: is run by a_missing_capability_is_named");
        return;
    }
    static HOOKS: &[Hook] = &[Hook { name: "config", ladder: &[rung("raw_tp", &["good"])] }];
    match load(&spec("ladder", true, HOOKS), Config::ZERO, &Options::default()) {
        Ok(loaded) => println!("verdict: {:?}", loaded.hooks),
        Err(LoadError::NotPermitted { what, words, missing }) => {
            println!("what: {what}\nwords: {words}\nmissing: {}", missing.join(" "));
        }
        Err(other) => println!("other: {other:?}"),
    }
}

fn output_without(capabilities: &[libc::c_ulong]) -> String {
    use std::os::unix::process::CommandExt;

    let dropped = capabilities.to_vec();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "load::loads_without_a_capability", "--nocapture"]).env(WITHOUT, "1");
    // SAFETY: between fork and exec there is only a system call; the vector was made before.
    unsafe {
        command.pre_exec(move || {
            for capability in &dropped {
                if libc::prctl(libc::PR_CAPBSET_DROP, *capability, 0, 0, 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        })
    };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_missing_capability_is_named() {
    if !is_root() {
        return;
    }
    const SYS_ADMIN: libc::c_ulong = 21;
    const PERFMON: libc::c_ulong = 38;
    const BPF: libc::c_ulong = 39;
    let none = output_without(&[SYS_ADMIN, PERFMON, BPF]);
    assert!(none.contains("missing: CAP_BPF CAP_PERFMON\n"), "{none}");

    let no_perfmon = output_without(&[SYS_ADMIN, PERFMON]);
    assert!(no_perfmon.contains("missing: CAP_PERFMON\n"), "{no_perfmon}");
    assert!(no_perfmon.contains("what: program good\n"), "{no_perfmon}");

    let no_bpf = output_without(&[SYS_ADMIN, BPF]);
    assert!(no_bpf.contains("missing: CAP_BPF\n"), "{no_bpf}");

    for enough in [output_without(&[SYS_ADMIN]), output_without(&[PERFMON, BPF])] {
        assert!(enough.contains("Active(\"raw_tp\")"), "{enough}");
    }
}

#[test]
fn the_locked_memory_limit_is_left_alone_where_the_kernel_does_not_need_it() {
    assert!(memory::kernel_release().1 >= (5, 11), "written for kernels since 5.11");
    let limit = || {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is to a live rlimit.
        unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
        (limit.rlim_cur, limit.rlim_max)
    };
    // A limit too low for any BPF object, if it counted.
    let lower = libc::rlimit { rlim_cur: 4096, rlim_max: limit().1 };
    // SAFETY: the pointer is to a live rlimit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const lower) }, 0);
    let before = limit();
    memory::raise_memlock_limit().unwrap();
    assert_eq!(limit(), before);
    if is_root() {
        load(&spec("ladder", true, &[]), Config::ZERO, &Options::default()).unwrap();
        assert_eq!(limit(), before, "libbpf does not raise it either");
    }
}
