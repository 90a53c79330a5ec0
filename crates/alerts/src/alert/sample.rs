//! An alert to try things with: the one of Falco's documentation.

use super::{Alert, Connection, Container, Context, Pod, Preceding, Priority, Process, Value};

pub(crate) fn alert() -> Alert {
    let text = |text: &str| Value::Text(text.into());
    Alert {
        time_ns: 1_507_566_716_746_609_046,
        rule: "Write below binary dir".into(),
        priority: Priority::Error,
        source: "syscall".into(),
        hostname: "node-1".into(),
        tags: ["filesystem".into(), "mitre_persistence".into()].into(),
        output: "File below a known binary directory opened for writing (user=root \
                 command=touch /bin/hack file=/bin/hack)"
            .into(),
        output_fields: vec![
            ("evt.time".into(), Value::Uint(1_507_566_716_746_609_046)),
            ("fd.name".into(), text("/bin/hack")),
            ("proc.cmdline".into(), text("touch /bin/hack")),
            ("user.name".into(), text("root")),
            ("user.loginuid".into(), Value::Int(-1)),
            ("container.image".into(), Value::Null),
        ],
        context: Context::default(),
    }
}

pub(crate) fn context() -> Context {
    let process = Process {
        pid: 42,
        start_time_ns: Some(2_000_000_000),
        ppid: Some(1),
        uid: Some(0),
        comm: "touch".into(),
        exe: "/usr/bin/touch".into(),
        argv: vec![b"touch".to_vec(), b"/bin/h\xffck".to_vec()],
        cwd: "/root".into(),
        environment: vec![],
    };
    Context {
        process: Some(process),
        ancestors: vec![Process { pid: 1, comm: "init".into(), ..Process::default() }],
        container: Some(Container {
            id: "ab12".into(),
            name: "web".into(),
            image: "nginx:1".into(),
        }),
        pod: Some(Pod {
            namespace: "shop".into(),
            name: "web-1".into(),
            uid: "u-1".into(),
            workload: Some(("Deployment".into(), "web".into())),
        }),
        connection: Some(Connection {
            key: Some("00000000deadbeef".into()),
            protocol: "tcp".into(),
            local: Some(([10, 0, 0, 1], 40000).into()),
            peer: Some("[::1]:443".parse().expect("an address")),
            role: Some("client".into()),
        }),
        preceding: vec![Preceding {
            time_ns: 1_500_000_000,
            kind: "exec".into(),
            fields: vec![
                ("argv".into(), Value::Texts(vec!["sh".into(), "-c".into()])),
                ("pid".into(), Value::Uint(42)),
            ],
        }],
    }
}
