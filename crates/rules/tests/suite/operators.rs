//! What each operator and transformer says of values, and of values that are missing or not known.

use chandra_rules::catalogue::EventType;
use chandra_rules::rules::Outcome;

use crate::common::{Fake, Own, address, holds, many, strictly};

fn process() -> Fake {
    Fake::exec()
        .with("proc.name", many(&["bash", "busybox"]))
        .with("proc.pname", many(&["sshd"]))
        .with("proc.exepath", "/usr/bin/busybox")
        .with("proc.cmdline", "bash -c 'echo SGVsbG8='")
        .with("proc.args", Own::Words(vec!["-nt", "value", "-n", "file"]))
        .with("proc.aname", many(&["sshd", "systemd"]))
        .with("proc.aname[2]", "systemd")
        .with("proc.pid", 77)
        .with("proc.tty", 34816)
        .with("proc.is_exe_upper_layer", true)
        .with("thread.cap_effective", Own::Capabilities(1 << 21 | 1))
        .with("proc.exe", "SGVsbG8=")
}

#[track_caller]
fn all_hold(conditions: &[&str], facts: &Fake) {
    for condition in conditions {
        assert!(holds(condition, facts), "{condition}");
    }
}

#[track_caller]
fn none_holds(conditions: &[&str], facts: &Fake) {
    for condition in conditions {
        assert!(!holds(condition, facts), "{condition}");
    }
}

#[test]
fn texts_are_compared_in_every_way() {
    all_hold(
        &[
            "proc.exepath = /usr/bin/busybox",
            "proc.exepath != /bin/sh",
            "proc.exepath contains bin/busy",
            "proc.exepath icontains BIN/BUSY",
            "proc.exepath bcontains 62757379",
            "proc.exepath startswith /usr",
            "proc.exepath bstartswith 2f7573",
            "proc.exepath endswith box",
            "proc.exepath glob '/usr/*/b?sy*'",
            "proc.exepath iglob '/USR/*'",
            "proc.exepath regex '/usr/bin/[a-z]+'",
            "proc.exepath in (/bin/sh, /usr/bin/busybox)",
            "proc.exepath intersects (/usr/bin/busybox)",
            "proc.exepath pmatch (/etc, /usr/bin)",
            "proc.exepath exists",
            "thread.cap_effective contains CAP_SYS_ADMIN",
            "thread.cap_effective = 'CAP_CHOWN CAP_SYS_ADMIN'",
        ],
        &process(),
    );
    none_holds(
        &[
            "proc.exepath = /usr/bin/busyboxx",
            "proc.exepath contains BUSY",
            "proc.exepath regex 'usr'",
            "proc.exepath regex '/usr/bin'",
            "proc.exepath in ()",
            "proc.exepath pmatch (/usr/bi)",
            "proc.exepath startswith usr",
            "thread.cap_effective contains CAP_SYS_PTRACE",
        ],
        &process(),
    );
}

#[test]
fn numbers_flags_and_addresses_are_compared_by_what_they_are() {
    all_hold(
        &[
            "proc.pid = 77",
            "proc.pid = 0x4d",
            "proc.pid != 78",
            "proc.pid >= 77 and proc.pid <= 77",
            "proc.pid > -1 and proc.pid < 100",
            "proc.pid in (1, 77)",
            "proc.tty != 0",
            "proc.is_exe_upper_layer = true",
            "proc.is_exe_upper_layer != false",
        ],
        &process(),
    );
    let connect = Fake::new(EventType::Connect)
        .with("fd.ip", Own::Many(vec![address("10.0.0.1"), address("93.184.216.34")]))
        .with("fd.net", Own::Many(vec![address("10.0.0.1"), address("93.184.216.34")]))
        .with("fd.sip", address("93.184.216.34"))
        .with("fd.snet", address("93.184.216.34"))
        .with("fd.port", Own::Many(vec![40_000.into(), 443.into()]));
    all_hold(
        &[
            "fd.sip = 93.184.216.34",
            "fd.ip = 10.0.0.1",
            "fd.ip = 93.184.216.34",
            "fd.ip != 10.0.0.2",
            "fd.net in (10.0.0.0/8, 192.168.0.0/16)",
            "fd.snet = 93.184.0.0/16",
            "fd.sip in ('93.184.216.34', 10.0.0.0/8)",
            "not fd.snet in (10.0.0.0/8)",
            "fd.port = 443",
            "fd.port != 80",
        ],
        &connect,
    );
    // One end is as said, so that not both differ.
    none_holds(&["fd.ip != 10.0.0.1", "fd.port != 443", "fd.snet = 10.0.0.0/8"], &connect);
}

#[test]
fn several_values_hold_if_one_does_and_either_name_is_the_process_s() {
    all_hold(
        &[
            "proc.name = bash",
            "proc.name = busybox",
            "proc.name in (busybox)",
            "proc.name != sh",
            "proc.name startswith busy",
            "proc.aname = systemd",
            "proc.aname = sshd",
            "proc.aname != sshd",
            "proc.aname[2] = systemd",
            "proc.aname intersects (x, sshd)",
        ],
        &process(),
    );
    none_holds(&["proc.name != bash", "proc.name != busybox", "proc.aname[2] = sshd"], &process());
}

#[test]
fn modifiers_count_how_many_items_hold() {
    all_hold(
        &[
            "proc.exepath startswith anyof (/bin, /usr)",
            "proc.exepath contains allof (usr, busy)",
            "proc.exepath startswith oneof (/usr, /bin)",
            "proc.pid = anyof (1, 77)",
            "proc.exepath != allof (a, b)",
            "proc.exepath regex anyof ('/usr/.*', x)",
        ],
        &process(),
    );
    none_holds(
        &[
            "proc.exepath startswith oneof (/usr, /usr/bin)",
            "proc.exepath contains allof (usr, lazy)",
            "proc.exepath startswith anyof ()",
            "proc.exepath contains allof ()",
        ],
        &process(),
    );
}

#[test]
fn transformers_make_other_values() {
    all_hold(
        &[
            "toupper(proc.exepath) = /USR/BIN/BUSYBOX",
            "tolower(toupper(proc.exepath)) contains bin",
            "basename(proc.exepath) = busybox",
            "b64(proc.exe) = Hello",
            "len(proc.exepath) = 16",
            "len(proc.args) = 4",
            "join(',', proc.args) = \"-nt,value,-n,file\"",
            "join('-', (proc.pid, 'x', basename(proc.exepath))) = 77-x-busybox",
            "concat(proc.pid, ':', proc.tty) in (77:34816)",
            "getopt(proc.args, 'nt:') intersects (t)",
            "getopt(proc.args, 'nt:') in (n, t, value)",
            "getopt(proc.args, 'nt:')[t] = value",
            "proc.name = val(proc.exe) or basename(proc.exepath) = val(proc.name)",
            "proc.pid < val(proc.tty)",
            "proc.cmdline contains val(proc.exe)",
            "proc.exepath = toupper(proc.exe) or toupper(proc.exe) = toupper(proc.exe)",
        ],
        &process(),
    );
    none_holds(
        &[
            "b64(proc.cmdline) exists",
            "getopt(proc.args, 'nt:') in (n, t)",
            "getopt(proc.args, 'nt:')[x] exists",
            "proc.pid > val(proc.tty)",
        ],
        &process(),
    );
}

#[test]
fn missing_values_make_every_comparison_false_as_in_falco() {
    let nothing = Fake::exec().with("proc.name", "x");
    none_holds(
        &[
            "container.image.repository = nginx",
            "container.image.repository != nginx",
            "proc.pid != 1",
            "container.image.repository exists",
            "k8s.ns.name in (a)",
            "tolower(proc.pname) != x",
            "proc.name = val(proc.pname)",
            "proc.name != val(proc.pname)",
        ],
        &nothing,
    );
    all_hold(
        &[
            "not container.image.repository = nginx",
            "not container.image.repository != nginx",
            "not k8s.ns.name exists",
        ],
        &nothing,
    );
    // What is not known is as missing, unless three-valued logic is asked for.
    let pending = Fake::exec().with("k8s.ns.name", Own::Unknown);
    assert!(!holds("k8s.ns.name = kube-system", &pending));
    assert!(holds("not k8s.ns.name = kube-system", &pending));
}

#[test]
fn what_is_not_known_neither_fires_nor_hides_with_three_valued_logic() {
    let facts = Fake::exec()
        .with("proc.name", "sh")
        .with("k8s.ns.name", Own::Unknown)
        .with("container.id", "c0ffee");
    let (fires, undecided) = (Some(Outcome::Fires), Some(Outcome::Undecided));
    for (condition, expected) in [
        ("k8s.ns.name = a", undecided),
        ("not k8s.ns.name = a", undecided),
        ("k8s.ns.name != a", undecided),
        ("k8s.ns.name exists", undecided),
        ("proc.name = sh and not k8s.ns.name in (a)", undecided),
        ("proc.name = sh or k8s.ns.name = a", fires),
        ("proc.name = zsh and k8s.ns.name = a", None),
        ("not (proc.name = sh or k8s.ns.name = a)", None),
        ("not (proc.name = zsh and k8s.ns.name = a)", fires),
        ("(k8s.ns.name = a or proc.name = sh) and not k8s.ns.name = a", undecided),
        ("tolower(k8s.ns.name) = a", undecided),
        ("proc.name = val(k8s.ns.name)", undecided),
        ("k8s.ns.name = oneof (a, b)", undecided),
        // It is known not to be there: no image of a process in no container.
        ("container.image = nginx", None),
        ("not container.image = nginx", fires),
    ] {
        assert_eq!(strictly(condition, &facts), expected, "{condition}");
    }
}

#[test]
fn of_a_text_that_is_cut_only_what_is_there_is_said() {
    let cut = Own::Cut("curl http://".to_owned(), "/x -e".to_owned());
    let facts = Fake::exec().with("proc.cmdline", cut);
    let (fires, undecided) = (Some(Outcome::Fires), Some(Outcome::Undecided));
    for (condition, expected) in [
        ("proc.cmdline contains http", fires),
        ("proc.cmdline contains \" -e\"", fires),
        ("proc.cmdline contains evil", undecided),
        ("not proc.cmdline contains evil", undecided),
        ("proc.cmdline startswith curl", fires),
        ("proc.cmdline startswith wget", None),
        ("proc.cmdline startswith \"curl http://x\"", undecided),
        ("proc.cmdline endswith \"-e\"", fires),
        ("proc.cmdline endswith \"-f\"", None),
        ("proc.cmdline = ls", None),
        ("proc.cmdline = \"curl http://a/x -e\"", undecided),
        ("proc.cmdline in (ls, cat)", None),
        ("proc.cmdline regex '.*'", undecided),
    ] {
        assert_eq!(strictly(condition, &facts), expected, "{condition}");
        // Falco's way: what is not known is false.
        assert_eq!(
            holds(condition, &facts),
            expected == fires || condition.starts_with("not"),
            "{condition}"
        );
    }
}
