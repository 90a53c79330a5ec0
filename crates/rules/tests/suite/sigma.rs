//! Rules of Sigma: each modifier and each shape of a condition, against events by hand-worked truth.

use chandra_rules::catalogue::EventType;
use chandra_rules::evaluate::Facts;
use chandra_rules::load::Options;

use crate::common::{Fake, Own, address, load, many, names_of};

/// A rule of a category with this detection.
fn rule_of(category: &str, detection: &str) -> String {
    let detection = detection.replace('\n', "\n  ");
    format!(
        "title: R\nlogsource:\n  product: linux\n  category: {category}\ndetection:\n  {detection}\n"
    )
}

/// Whether a detection holds of an event.
#[track_caller]
fn detects_of(category: &str, detection: &str, facts: &dyn Facts) -> bool {
    let loaded = load(&[&rule_of(category, detection)], &Options::default());
    let (rules, _) = loaded.unwrap_or_else(|report| panic!("{detection}\n{report}"));
    !names_of(&rules, facts).is_empty()
}

/// Whether an item holds of an execution.
#[track_caller]
fn holds(item: &str, facts: &dyn Facts) -> bool {
    let item = item.replace('\n', "\n  ");
    detects_of("process_creation", &format!("s:\n  {item}\ncondition: s"), facts)
}

/// `curl -k -o /tmp/Update.sh http://10.0.0.9/x`, of a shell.
fn download() -> Fake {
    let words = vec!["curl", "-k", "-o", "/tmp/Update.sh", "http://10.0.0.9/x"];
    Fake::exec()
        .with("proc.image", many(&["/usr/bin/curl", "./Curl-Link"]))
        .with("proc.exeline", Own::Words(words))
        .with("proc.pimage", "/usr/bin/dash")
        .with("proc.pexeline", "sh -c 'curl'")
        .with("proc.cwd", "/var/tmp/")
        .with("proc.pid", 4242)
        .with("user.name", "www-data")
        .with("user.uid", 33)
}

#[test]
fn texts_are_compared_by_modifiers_and_wildcards() {
    let facts = download();
    for item in [
        "Image: /usr/bin/curl",
        "Image: /USR/bin/Curl",
        "Image: '*/curl'",
        "Image: './curl-link'",
        "Image|endswith: /curl",
        "Image|startswith: /usr/",
        "Image|contains: /BIN/",
        "Image: '/usr/*/c?rl'",
        "Image|contains: 'b?n/c'",
        "Image|contains: ''",
        "Image|endswith: [/wget, /curl]",
        "Image|cased: /usr/bin/curl",
        "Image|endswith|cased: /curl",
        "Image|cased: '/usr/*rl'",
        "Image|cased: [/x, /usr/bin/curl]",
        "Image|contains|cased: [Link, nothing]",
        "CommandLine|contains: ' -K '",
        "CommandLine|contains|all: [update.sh, -k, 'HTTP://']",
        "CommandLine|startswith: 'curl -k'",
        "CommandLine|endswith: /x",
        "CommandLine|re: '-o\\s+/tmp/\\w+\\.sh'",
        "CommandLine|re|i: '^CURL .*/X$'",
        "CommandLine|re: ['nothing', '10(\\.\\d+){3}']",
        "CommandLine|re|s: 'curl.*x'",
        "CurrentDirectory: /var/tmp",
        "CurrentDirectory|endswith: /TMP",
        "User: WWW-data",
        "LogonId: 33",
        "LogonId: '33'",
        "ProcessId|gte: 4242",
        "ProcessId|gt: 4241",
        "ProcessId|lt: 4243",
        "ProcessId|lte: [1, 4242]",
        "ProcessId|startswith: 42",
        "ProcessId: '42*'",
        "ParentImage|endswith: /dash",
        "ParentCommandLine|contains: '''curl'''",
        "Image|neq: /usr/bin/wget",
        "proc.pid: 4242",
        "proc.cwd: /var/tmp/",
    ] {
        assert!(holds(item, &facts), "{item}");
    }
    for item in [
        "Image: curl",
        "Image: '/usr/bin/cur'",
        "Image: '/usr/bin/curl?'",
        "Image|endswith: curl/",
        "Image|startswith: usr",
        "Image|cased: /usr/bin/Curl",
        "Image|contains|cased: LINK",
        "Image|cased: '/USR/*'",
        "Image: '\\*/curl'",
        "Image: ''",
        "CommandLine|contains|all: [update.sh, -z]",
        "CommandLine|re: '^CURL'",
        "CommandLine|re: '^/tmp'",
        "CommandLine|contains: 'curl  -k'",
        "CurrentDirectory: /var/tmp/",
        "CurrentDirectory: /var",
        "LogonId: 3",
        "ProcessId|gt: 4242",
        "ProcessId|lt: 4242",
        "ProcessId|endswith: 41",
        "Image|neq: /usr/bin/curl",
        "Image|neq: [/usr/bin/wget, /usr/bin/curl]",
    ] {
        assert!(!holds(item, &facts), "{item}");
    }
}

#[test]
fn a_backslash_takes_away_what_a_wildcard_means() {
    let of = |line: &str| Fake::exec().with("proc.exeline", line);
    assert!(holds(r"CommandLine: 'rm \*'", &of("rm *")));
    assert!(!holds(r"CommandLine: 'rm \*'", &of("rm x")));
    assert!(holds(r"CommandLine: 'a\\*'", &of(r"a\xyz")));
    assert!(holds(r"CommandLine|contains: '\x41'", &of(r"printf \x41")));
    assert!(holds(r"CommandLine|contains: '\\\\'", &of(r"a\\b")), "two backslashes");
    assert!(!holds(r"CommandLine|contains: '\\\\'", &of(r"a\b")));
    assert!(holds(r"CommandLine|endswith: '\?'", &of("what?")));
    assert!(!holds(r"CommandLine|endswith: '\?'", &of("whatx")));
    // What a shell's pattern has beyond that is nothing special.
    assert!(holds("CommandLine: '[a-z]*x'", &of("[A-Z] x")));
    assert!(!holds("CommandLine: '[a-z]*x'", &of("a x")));
}

#[test]
fn values_are_found_encoded() {
    let of = |line: &str| Fake::exec().with("proc.exeline", line);
    // printf 'x/bin/bash' | base64, and so on: what tests/…/pattern.rs compares with coreutils' base64.
    for line in ["echo L2Jpbi9iYXNoCg==", "echo eC9iaW4vYmFzaA==", "echo eHgvYmluL2Jhc2g="] {
        assert!(holds("CommandLine|base64offset|contains: /bin/bash", &of(line)), "{line}");
    }
    assert!(!holds("CommandLine|base64offset|contains: /bin/bash", &of("echo L2Jpbi9kYXNo")));
    assert!(holds("CommandLine|base64|contains: foobar", &of("echo Zm9vYmFy")));
    assert!(holds("CommandLine|wide|base64offset|contains: ab", &of("powershell -e YQBiAGMA")));
    for dash in ["-", "/", "–", "—", "―"] {
        let line = format!("tar {dash}Checkpoint x");
        assert!(holds("CommandLine|windash|contains: ' -checkpoint'", &of(&line)), "{line}");
    }
    assert!(!holds("CommandLine|contains: ' -checkpoint'", &of("tar /checkpoint")));
    assert!(holds("CommandLine|contains|windash|all: [' -a', ' /b']", &of("x /A —b")));
    assert!(!holds("CommandLine|contains|windash|all: [' -a', ' /b']", &of("x /A")));
}

#[test]
fn what_is_missing_compares_with_nothing() {
    let facts = Fake::exec().with("proc.image", "/bin/x").with("proc.exeline", "");
    for item in [
        "ParentImage: null",
        "ParentImage:",
        "ParentImage: [null, /bin/sh]",
        "ParentImage|exists: false",
        "Image|exists: true",
        "ParentImage|neq: /bin/sh",
        "OriginalFileName: null",
        "OriginalFileName|exists: false",
        "CommandLine: ''",
        "k8s.ns.name|exists: 'false'",
    ] {
        assert!(holds(item, &facts), "{item}");
    }
    for item in [
        "ParentImage: ''",
        "ParentImage: /bin/sh",
        "ParentImage: 'null'",
        "ParentImage|contains: ''",
        "ParentImage|re: '.*'",
        "Image: null",
        "Image|exists: false",
        "OriginalFileName: x",
        "OriginalFileName|contains: ''",
        "CommandLine: null",
    ] {
        assert!(!holds(item, &facts), "{item}");
    }
    // `not` of what is missing holds, and so does the rule that has it.
    let detection = "a:\n  Image: /bin/x\nf:\n  ParentImage|endswith: /sh\ncondition: a and not f";
    assert!(detects_of("process_creation", detection, &facts));
}

#[test]
fn fields_are_compared_with_each_other() {
    let facts = Fake::exec()
        .with("proc.image", "/bin/Dash")
        .with("proc.pimage", "/bin/dash")
        .with("proc.exeline", "/bin/dash -c x")
        .with("user.name", "x");
    assert!(holds("Image|fieldref: ParentImage", &facts));
    assert!(!holds("Image|fieldref|cased: ParentImage", &facts));
    assert!(holds("CommandLine|fieldref|startswith: Image", &facts));
    assert!(holds("CommandLine|fieldref|endswith: User", &facts));
    assert!(!holds("CommandLine|fieldref: Image", &facts));
    assert!(holds("CommandLine|fieldref|contains: [ParentCommandLine, ParentImage]", &facts));
    assert!(!holds("Image|fieldref: ParentCommandLine", &facts), "there is none");
}

#[test]
fn lists_are_or_and_maps_are_and() {
    let facts = download();
    let detects = |detection: &str| detects_of("process_creation", detection, &facts);
    // A map: all of it.
    assert!(detects("s:\n  Image|endswith: /curl\n  User: www-data\ncondition: s"));
    assert!(!detects("s:\n  Image|endswith: /curl\n  User: root\ncondition: s"));
    // A list of maps: one of them.
    let either = "s:\n  - Image|endswith: /wget\n  - Image|endswith: /curl\n    User: www-data\ncondition: s";
    assert!(detects(either));
    assert!(!detects(&either.replace("www-data", "root")));
    // Words without a field: one of them, in one of the fields.
    assert!(detects("s: [nothing, UPDATE.sh]\ncondition: s"));
    assert!(detects("s:\n  - nothing\n  - 'dash'\ncondition: s"));
    assert!(!detects("s: [nothing, neither]\ncondition: s"));
    assert!(detects("s: www-?ata\ncondition: s"));
    // All of them, each wherever it is.
    assert!(detects("s:\n  '|all': [update.sh, /bin/dash, www]\ncondition: s"));
    assert!(!detects("s:\n  '|all': [update.sh, nothing]\ncondition: s"));
    assert!(detects("s:\n  '|re': 'Update\\.(sh|py)'\ncondition: s"));
    assert!(detects("s:\n  '|cased': Update\ncondition: s"));
    assert!(!detects("s:\n  '|cased': UPDATE\ncondition: s"));
    // Words and maps in one list.
    assert!(detects("s:\n  - nothing\n  - Image|endswith: /curl\ncondition: s"));
}

#[test]
fn conditions_join_searches() {
    let facts = download();
    let searches = "yes_a:\n  Image|endswith: /curl\nyes_b:\n  User: www-data\nno_a:\n  User: root\nno_b:\n  \
                    Image|endswith: /wget\n_off:\n  User: nobody\n";
    let detects = |condition: &str| {
        detects_of("process_creation", &format!("{searches}condition: {condition}"), &facts)
    };
    for condition in [
        "yes_a",
        "yes_a and yes_b",
        "no_a or yes_b",
        "not no_a",
        "yes_a and not no_a",
        "yes_a and not (no_a or no_b)",
        "no_a and no_b or yes_a",
        "1 of yes_*",
        "all of yes_*",
        "1 of them",
        "any of them",
        "yes_a and not 1 of no_*",
        "not all of them",
        "not 1 of no_* and all of yes_*",
        "[no_a, yes_a]",
    ] {
        assert!(detects(condition), "{condition}");
    }
    for condition in [
        "no_a",
        "yes_a and no_a",
        "no_a and (no_b or yes_a)",
        "not (yes_a or no_a)",
        "1 of no_*",
        "all of them",
        "all of *_a",
        "not 1 of them",
        "[no_a, no_b]",
    ] {
        assert!(!detects(condition), "{condition}");
    }
}

#[test]
fn connections_have_a_source_and_a_destination() {
    let connect = |event_type| {
        Fake::new(event_type)
            .with("fd.cip", address("10.1.2.3"))
            .with("fd.sip", address("93.184.216.34"))
            .with("fd.sport", 4444)
            .with("fd.cport", 40000)
            .with("fd.sip.name", "Evil.Example")
            .with("fd.l4proto", "tcp")
            .with("fd.is_server", event_type == EventType::Accept)
            .with("proc.image", "/bin/bash")
    };
    let (out, incoming) = (connect(EventType::Connect), connect(EventType::Accept));
    let detects = |item: &str, facts: &Fake| {
        detects_of("network_connection", &format!("s:\n  {item}\ncondition: s"), facts)
    };
    for item in [
        "Initiated: 'true'",
        "Initiated: true",
        "DestinationPort: 4444",
        "DestinationPort: ['80', '4444']",
        "DestinationPort|gte: 1024",
        "DestinationIp: 93.184.216.34",
        "DestinationIp|cidr: [10.0.0.0/8, 93.184.0.0/16]",
        "SourceIp|cidr: 10.0.0.0/8",
        "DestinationIp|startswith: '93.184.'",
        "SourceIp: '10.1.*'",
        "DestinationHostname|endswith: .example",
        "DestinationHostname: evil.example",
        "Protocol: TCP",
        "Image|endswith: /bash",
    ] {
        assert!(detects(item, &out), "{item}");
    }
    for item in [
        "Initiated: 'false'",
        "DestinationPort: 444",
        "DestinationIp|cidr: 10.0.0.0/8",
        "DestinationIp: 93.184.216.35",
        "DestinationIp|startswith: '184'",
        "SourceHostname|contains: e",
    ] {
        assert!(!detects(item, &out), "{item}");
    }
    assert!(detects("Initiated: 'false'", &incoming) && !detects("Initiated: 'true'", &incoming));
    // Of another category it is not, whatever its fields are.
    assert!(!holds("Image: /bin/bash", &out));
}

#[test]
fn files_are_told_where_they_may_be_made_or_are_cut() {
    let open = |created: bool, write: bool, flags: &str| {
        Fake::new(EventType::Openat)
            .with("fd.name", "/etc/cron.d/X")
            .with("evt.failed", false)
            .with("evt.is_open_create", created)
            .with("evt.is_open_write", write)
            .with("evt.arg.flags", flags)
    };
    let detects = |facts: &Fake| {
        let detection = "s:\n  TargetFilename|startswith: /ETC/cron\ncondition: s";
        detects_of("file_event", detection, facts)
    };
    assert!(detects(&open(true, true, "O_WRONLY|O_CREAT")));
    assert!(detects(&open(false, true, "O_WRONLY|O_CREAT|O_APPEND")));
    assert!(detects(&open(false, true, "O_WRONLY|O_TRUNC")));
    assert!(detects(&open(true, false, "O_RDONLY|O_CREAT")));
    assert!(!detects(&open(false, true, "O_WRONLY")));
    assert!(!detects(&open(false, false, "O_RDONLY")));
    assert!(!detects(&open(true, true, "O_CREAT").with("evt.failed", true)));
    assert!(!detects(&open(true, true, "O_CREAT").with("fd.name", "/tmp/etc/cron")));
}

/// Where the middle is not known, three-valued logic says so, and nobody guesses.
#[test]
fn a_command_line_that_is_cut_is_known_at_its_ends() {
    let cut = Own::Cut("curl -K".to_owned(), "x.sh".to_owned());
    let facts = Fake::exec().with("proc.exeline", cut);
    for (item, expected) in [
        ("CommandLine|startswith: CURL", Some("Fires")),
        ("CommandLine|contains: '-k'", Some("Fires")),
        ("CommandLine|endswith: .SH", Some("Fires")),
        ("CommandLine|contains: password", Some("Undecided")),
        ("CommandLine|startswith: wget", None),
        ("CommandLine|endswith: .py", None),
        ("CommandLine: curl", None),
    ] {
        let rule = rule_of("process_creation", &format!("s:\n  {item}\ncondition: s"));
        let options = Options { strict_unknown: true, ..Options::default() };
        let (rules, _) = load(&[&rule], &options).unwrap();
        let outcome = names_of(&rules, &facts).first().map(|(_, outcome)| format!("{outcome:?}"));
        assert_eq!(outcome.as_deref(), expected, "{item}");
    }
}
