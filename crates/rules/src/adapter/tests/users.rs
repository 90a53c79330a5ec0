//! Users and groups of the node and of containers.

use super::*;

fn in_container() -> Known {
    let users =
        [(0, account("toor", "/", "/bin/ash")), (1000, account("app", "/srv", "/sbin/nologin"))];
    let groups = [(0, "wheel".to_owned())];
    let names = Names { users: users.into(), groups: groups.into() };
    Known { programs: lineage(), names, ..Known::default() }
}

#[test]
fn on_the_node_its_own_database_goes() {
    let (node, known, who) = (node(), in_container(), Who::default());
    let exec = Exec { effective_uid: 1000, effective_gid: 100, ..exec() };
    let facts = RecordFacts::new(&exec, 1, &who, &known, &node).unwrap();
    check(
        &facts,
        &[
            "user.name = ann and user.homedir = /home/ann and group.name = users",
            // Its field is empty.
            "not user.shell exists",
        ],
        &[("%user.homedir", "/home/ann"), ("%user.shell", "<NA>")],
    );
    let nobody = Exec { effective_uid: 1001, ..exec };
    let facts = RecordFacts::new(&nobody, 1, &who, &known, &node).unwrap();
    let asked =
        ["evt.num = 1 and not user.name = ann", "evt.num = 1 and not user.homedir = /home/ann"];
    check(&facts, &asked[..0], &[("%user.name", "<NA>"), ("%user.shell", "<NA>")]);
}

#[test]
fn in_a_container_its_database_goes_and_without_it_0_is_root() {
    let (labels, node, known) = (labels(), node(), in_container());
    let who = somebody(&labels);
    let exec = Exec { effective_uid: 1000, effective_gid: 0, ..exec() };
    let facts = RecordFacts::new(&exec, 1, &who, &known, &node).unwrap();
    check(
        &facts,
        &[
            "user.name = app and user.homedir = /srv and user.shell = /sbin/nologin and group.name = wheel",
            "not user.name = ann",
        ],
        &[("%user.name", "app")],
    );
    // Who logged in did so on the node.
    let logged_in = Exec { login_uid: Some(1000), ..exec };
    let facts = RecordFacts::new(&logged_in, 1, &who, &known, &node).unwrap();
    check(&facts, &["user.loginname = ann and user.name = app"], &[]);
    let elsewhere = Namespaces { mnt: 6, ..Namespaces::default() };
    let unread = Exec { namespaces: elsewhere, effective_uid: 0, ..exec };
    let facts = RecordFacts::new(&unread, 1, &who, &known, &node).unwrap();
    check(&facts, &["user.name = root and group.name = root"], &[("%user.homedir", "<NA>")]);
    // In the host's mount namespace it reads the host's.
    let host = Namespaces { mnt: 4, ..Namespaces::default() };
    let host = Exec { namespaces: host, ..exec };
    let facts = RecordFacts::new(&host, 1, &who, &known, &node).unwrap();
    check(&facts, &["user.name = ann"], &[]);
}
