//! What tests are told.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use crate::fact::{End, Fact, Owner, Place, Protocol, Totals};
use crate::interval::{Interval, Watch};
use crate::views::flows::By;
use crate::views::signals::Signal;

pub static CURL: LazyLock<Owner> = LazyLock::new(|| owner(4321, "curl", None));
pub static NGINX: LazyLock<Owner> = LazyLock::new(|| owner(99, "nginx", Some("web-1")));

pub fn owner(pid: u32, comm: &str, pod: Option<&str>) -> Owner {
    let workload = pod.map(|_| ("Deployment".to_owned(), "web".to_owned()));
    let place = Place {
        namespace: pod.map(|_| "shop".to_owned()),
        pod: pod.map(str::to_owned),
        workload,
        container: pod.map(|_| "server".to_owned()),
    };
    Owner::new(pid, 5, comm.to_owned(), place)
}

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], port))
}

/// curl's end of its connection to nginx.
pub fn opener() -> End<'static> {
    End {
        protocol: Protocol::Tcp,
        local: address(1, 40_000),
        peer: address(2, 80),
        is_opener: true,
        key: Some(1),
        net_namespace: 1,
        owner: Some(&CURL),
        peer_name: Some("shop/web"),
        stands_for: 1,
    }
}

/// nginx's end of the same.
pub fn acceptor() -> End<'static> {
    let End { local, peer, .. } = opener();
    End {
        local: peer,
        peer: local,
        is_opener: false,
        owner: Some(&NGINX),
        peer_name: None,
        ..opener()
    }
}

pub fn totals(bytes_sent: u64, bytes_received: u64) -> Totals {
    Totals { bytes_sent, bytes_received, ..Totals::default() }
}

/// A second in which a little of everything happened.
pub fn interval(by: By) -> Interval {
    let mut watch = Watch::new(100, by);
    let traffic = |end, bytes_sent, bytes_received| Fact::Traffic {
        end,
        totals: Totals {
            bytes_sent,
            bytes_received,
            packets_sent: 12,
            packets_received: 1_500,
            retransmits: u64::from(bytes_received > bytes_sent),
        },
        rtt_us: Some(350),
        is_older: false,
        is_over: false,
    };
    watch.take(&Fact::Opened { end: opener(), latency_ns: Some(1_200_000) });
    watch.take(&Fact::Opened { end: acceptor(), latency_ns: None });
    watch.take(&traffic(opener(), 78, 3_000_000));
    watch.take(&traffic(acceptor(), 3_000_000, 78));
    let second = End { local: address(1, 40_001), key: Some(2), ..opener() };
    watch.take(&traffic(second, 2, 5));
    let questions = End {
        protocol: Protocol::Udp,
        peer: address(53, 53),
        key: None,
        owner: Some(&NGINX),
        peer_name: None,
        ..opener()
    };
    watch.take(&traffic(questions, 44, 120));
    watch.take(&Fact::Failed { end: End { peer: address(9, 5432), key: None, ..opener() } });
    watch.take(&Fact::Exec { owner: &CURL });
    watch.take(&Fact::Ran { owner: &CURL, cpu_ns: 123_400_000 });
    watch.take(&Fact::Exit { owner: &CURL });
    for _ in 0..3 {
        watch.take(&Fact::Dropped {
            reason: "netfilter_drop",
            protocol: "tcp",
            ends: Some([address(2, 80), address(1, 40_000)]),
            owner: Some(&CURL),
            length_bytes: 60,
        });
    }
    let mut interval = watch.end_interval(Duration::from_secs(1), by);
    interval.signals = vec![
        Signal {
            name: "tcp".into(),
            verdict: "active".into(),
            seen: 100,
            lost: 0,
            left_out: 0,
            runs: Some(400),
            run_time_ns: Some(80_000),
            percent_of_one_core: Some(0.008),
        },
        Signal { name: "drop".into(), verdict: "active".into(), seen: 3, ..Signal::default() },
    ];
    interval
}
