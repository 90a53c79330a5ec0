use std::collections::HashMap;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The connection of the client with this number, to a backend of this number.
fn translation(client: u16, backend: u16) -> Translation {
    Translation {
        client: SocketAddr::new([10, 0, 0, 1].into(), client),
        dialled: end("10.96.0.10:80"),
        backend: SocketAddr::new([10, 0, 1, 1].into(), backend),
    }
}

fn with(connections: usize) -> Translations {
    Translations::new(Limits { connections, ..Limits::default() })
}

impl Translations {
    fn backend_of(&self, client: u16) -> Option<u16> {
        let Translation { client, dialled, .. } = translation(client, 0);
        self.backend(client, dialled).map(|backend| backend.port())
    }
}

#[test]
fn a_connection_is_found_by_what_its_socket_knows_and_by_nothing_else() {
    let mut table = with(10);
    table.apply(Change::Made(translation(1, 8080)), 0);
    let (client, dialled) = (end("10.0.0.1:1"), end("10.96.0.10:80"));
    assert_eq!(table.backend(client, dialled), Some(end("10.0.1.1:8080")));
    // The socket of a server for both families writes IPv4 so.
    assert_eq!(
        table.backend(end("[::ffff:10.0.0.1]:1"), end("[::ffff:10.96.0.10]:80")),
        Some(end("10.0.1.1:8080"))
    );
    for (client, dialled) in [
        ("10.0.0.1:2", "10.96.0.10:80"),
        ("10.0.0.2:1", "10.96.0.10:80"),
        ("10.0.0.1:1", "10.96.0.10:81"),
        ("10.0.0.1:1", "10.96.0.11:80"),
        ("10.96.0.10:80", "10.0.0.1:1"),
        ("10.0.1.1:8080", "10.0.0.1:1"),
    ] {
        assert_eq!(table.backend(end(client), end(dialled)), None, "{client} {dialled}");
    }
    let six = Translation {
        client: end("[fd00::1]:1"),
        dialled: end("[fd96::a]:80"),
        backend: end("[fd00::2]:8080"),
    };
    table.apply(Change::Made(six), 0);
    assert_eq!(table.backend(six.client, six.dialled), Some(six.backend));
}

#[test]
fn what_is_over_lingers_and_then_leaves() {
    let mut table = with(10);
    for client in 1..=3 {
        table.apply(Change::Made(translation(client, 8080)), 0);
    }
    table.apply(Change::Gone(translation(1, 8080)), SECOND);
    let Translation { client, dialled, .. } = translation(2, 0);
    table.close(client, dialled, 2 * SECOND);
    // The end of tracking comes minutes after that of the connection; it changes nothing.
    table.apply(Change::Gone(translation(2, 8080)), 3 * SECOND);
    for (now, expected) in [
        (3 * SECOND, [Some(8080); 3]),
        (3 * SECOND + 1, [None, Some(8080), Some(8080)]),
        (4 * SECOND + 1, [None, None, Some(8080)]),
        (u64::MAX, [None, None, Some(8080)]),
    ] {
        table.advance(now);
        assert_eq!([1, 2, 3].map(|client| table.backend_of(client)), expected, "{now}");
    }
    assert_eq!(table.stats().connections, 1);
}

#[test]
fn a_port_that_is_used_again_has_its_new_backend() {
    let mut table = with(10);
    table.apply(Change::Made(translation(1, 1)), 0);
    table.apply(Change::Gone(translation(1, 1)), 1);
    table.apply(Change::Made(translation(1, 2)), 2);
    table.advance(u64::MAX);
    assert_eq!(table.backend_of(1), Some(2));
}

#[test]
fn a_listing_brings_what_was_there_and_nothing_that_has_gone_meanwhile() {
    let mut table = with(10);
    table.apply(Change::Listing, 0);
    // Said while it was listed: it is newer.
    table.apply(Change::Gone(translation(1, 1)), 0);
    table.apply(Change::Made(translation(2, 2)), 0);
    for (client, backend) in [(1, 1), (2, 9), (3, 3)] {
        table.apply(Change::Found(translation(client, backend)), 0);
    }
    table.apply(Change::Listed, 0);
    table.advance(u64::MAX);
    assert_eq!([1, 2, 3].map(|client| table.backend_of(client)), [None, Some(2), Some(3)]);
}

#[test]
fn what_a_listing_does_not_bring_has_gone_unless_it_came_since() {
    let mut table = with(10);
    for client in [1, 2] {
        table.apply(Change::Made(translation(client, client)), 0);
    }
    table.apply(Change::Lost, 0);
    table.apply(Change::Listing, 0);
    table.apply(Change::Made(translation(3, 3)), 0);
    table.apply(Change::Found(translation(2, 2)), 0);
    table.apply(Change::Listed, SECOND);
    assert_eq!(table.backend_of(1), Some(1), "it lingers");
    table.advance(u64::MAX);
    assert_eq!([1, 2, 3].map(|client| table.backend_of(client)), [None, Some(2), Some(3)]);
    assert_eq!(table.stats().lost, 1);
}

#[test]
fn a_full_table_loses_what_is_over_first_and_then_the_oldest() {
    let mut table = with(4);
    for client in 1..=4 {
        table.apply(Change::Made(translation(client, client)), 0);
    }
    table.apply(Change::Gone(translation(3, 3)), 0);
    table.apply(Change::Made(translation(5, 5)), 0);
    assert_eq!((table.backend_of(3), table.stats().evicted), (None, 0));
    table.apply(Change::Made(translation(6, 6)), 0);
    assert_eq!((table.backend_of(1), table.stats().evicted), (None, 1));
    assert_eq!([2, 4, 5, 6].map(|client| table.backend_of(client).is_some()), [true; 4]);
}

#[test]
fn however_many_connections_there_are_it_stays_within_its_budget() {
    let mut table = Translations::default();
    for number in 0..200_000_u32 {
        let [_, high, middle, low] = number.to_be_bytes();
        let made = Translation {
            client: SocketAddr::new([10, high, middle, low].into(), 1),
            ..translation(1, 1)
        };
        table.apply(Change::Made(made), 0);
    }
    let stats = table.stats();
    assert_eq!((stats.connections, stats.evicted), (65_536, 200_000 - 65_536));
    assert!(stats.bytes <= 8 << 20, "{stats:?}");
}

#[test]
fn it_answers_as_a_map_does_whatever_comes_in_whatever_order() {
    let (mut table, mut model) = (with(1000), HashMap::new());
    let mut state = 1_u64;
    for step in 0..100_000_u64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (client, backend) = ((state >> 40) as u16 % 300, (state >> 20) as u16);
        if state >> 60 < 8 {
            model.insert(client, backend);
            table.apply(Change::Made(translation(client, backend)), step);
        } else {
            model.remove(&client);
            table.apply(Change::Gone(translation(client, backend)), step);
            // With nothing left to linger for.
            table.advance(u64::MAX);
        }
        let probe = (state >> 8) as u16 % 300;
        assert_eq!(table.backend_of(probe), model.get(&probe).copied());
        assert_eq!(table.stats().connections, model.len() as u64);
    }
}
