//! Users, groups and services as databases of a root have them: passwd(5), group(5), services(5).
//!
//! A container's databases are written by strangers: what is kept of one is bounded, and lines that are none are
//! passed over.

use std::collections::HashMap;

/// Users, and groups, that are kept of a database.
pub const MAX_ENTRIES: usize = 4096;

/// A user, as passwd(5) has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Name.
    pub name: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// Users and groups of a node, or of a container, by their numbers in the initial user namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Users.
    pub users: HashMap<u32, Account>,
    /// Names of groups.
    pub groups: HashMap<u32, String>,
}

/// Services that ports belong to by custom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Services {
    /// Over TCP.
    pub tcp: HashMap<u16, String>,
    /// Over UDP.
    pub udp: HashMap<u16, String>,
}

/// How numbers in a user namespace are numbers outside of it (user_namespaces(7)): first one inside, first one
/// outside, how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap(Vec<(u32, u32, u32)>);

impl IdMap {
    /// They are the same.
    pub fn identity() -> Self {
        Self(vec![(0, 0, u32::MAX)])
    }

    /// As `/proc/PID/uid_map` has it.
    pub fn read(text: &str) -> Self {
        let line = |line: &str| {
            let mut numbers = line.split_ascii_whitespace().map(|number| number.parse().ok());
            Some((numbers.next()??, numbers.next()??, numbers.next()??))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn outside(&self, inside: u32) -> Option<u32> {
        self.0.iter().find_map(|(first, outside, count)| {
            let offset = inside.checked_sub(*first).filter(|offset| offset < count)?;
            outside.checked_add(offset)
        })
    }
}

impl Names {
    /// What /etc/passwd and /etc/group hold, which number as these maps say.
    pub fn read(passwd: &str, group: &str, users: &IdMap, groups: &IdMap) -> Self {
        Self { users: users_of(passwd, users), groups: groups_of(group, groups) }
    }
}

/// `name:password:uid:gid:text:home:shell`. Of several with one number the first is the one that programs show.
fn users_of(text: &str, map: &IdMap) -> HashMap<u32, Account> {
    let mut users = HashMap::new();
    for line in text.lines() {
        let mut parts = line.splitn(8, ':');
        let mut next = || parts.next();
        let (Some(name), Some(_), Some(number), Some(_), Some(_), Some(home), Some(shell), None) =
            (next(), next(), next(), next(), next(), next(), next(), next())
        else {
            continue;
        };
        let Some(number) = number_of(name, number, map) else { continue };
        if users.len() >= MAX_ENTRIES {
            break;
        }
        let [name, home, shell] = [name, home, shell].map(str::to_owned);
        users.entry(number).or_insert(Account { name, home, shell });
    }
    users
}

/// `name:password:gid:members`
fn groups_of(text: &str, map: &IdMap) -> HashMap<u32, String> {
    let mut groups = HashMap::new();
    for line in text.lines() {
        let mut parts = line.split(':');
        let (Some(name), Some(number)) = (parts.next(), parts.nth(1)) else { continue };
        let Some(number) = number_of(name, number, map) else { continue };
        if groups.len() >= MAX_ENTRIES {
            break;
        }
        groups.entry(number).or_insert_with(|| name.to_owned());
    }
    groups
}

fn number_of(name: &str, number: &str, map: &IdMap) -> Option<u32> {
    number.parse().ok().filter(|_| !name.is_empty()).and_then(|number| map.outside(number))
}

impl Services {
    /// What /etc/services holds: `name port/protocol aliases # comment`. Of several with one port the first is the
    /// one that programs show.
    pub fn read(text: &str) -> Self {
        let mut services = Self::default();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let (Some(name), Some((port, protocol))) =
                (words.next(), words.next().and_then(|word| word.split_once('/')))
            else {
                continue;
            };
            let by_port = match protocol {
                "tcp" => &mut services.tcp,
                "udp" => &mut services.udp,
                _ => continue,
            };
            if let Ok(port) = port.parse() {
                by_port.entry(port).or_insert_with(|| name.to_owned());
            }
        }
        services
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(passwd: &str, group: &str, map: &IdMap) -> Names {
        Names::read(passwd, group, map, map)
    }

    #[test]
    fn of_two_users_with_one_number_the_first_is_shown() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:/bin/sh\n#comment\nbad:x:one:0:::\n\
            :x:7:0:::\nlong:x:8:0::/:/bin/sh:more\nnobody:x:65534:65534::/nonexistent:\n";
        let group = "wheel:x:0:\nusers:x:100:a,b\nbroken\n";
        let Names { users, groups } = read(passwd, group, &IdMap::identity());
        let root = &users[&0];
        assert_eq!((&*root.name, &*root.home, &*root.shell), ("root", "/root", "/bin/bash"));
        assert_eq!((users.len(), &*users[&65534].shell), (2, ""));
        assert_eq!((&*groups[&0], &*groups[&100], groups.len()), ("wheel", "users", 2));
    }

    #[test]
    fn numbers_are_those_outside_of_a_user_namespace() {
        let map =
            IdMap::read("         0     100000      65536\n     70000       5000          1\nx\n");
        assert_eq!((map.outside(0), map.outside(1000)), (Some(100_000), Some(101_000)));
        assert_eq!((map.outside(65_536), map.outside(70_000)), (None, Some(5000)));
        assert_eq!(map.outside(70_001), None);
        let names = read("app:x:1000:0::/srv:/bin/sh\nfar:x:99999:0::/:\n", "", &map);
        assert_eq!(names.users.keys().copied().collect::<Vec<_>>(), [101_000]);
        // A map that wraps around maps nothing.
        assert_eq!(IdMap::read("0 4294967295 10").outside(1), None);
    }

    #[test]
    fn of_a_long_database_the_beginning_is_kept() {
        let line = |number: usize| format!("u{number}:x:{number}:0::/:\n");
        let text: String = (0..MAX_ENTRIES + 10).map(line).collect();
        let names = read(&text, &text, &IdMap::identity());
        assert_eq!((names.users.len(), names.groups.len()), (MAX_ENTRIES, MAX_ENTRIES));
    }

    #[test]
    fn a_port_has_the_first_name_of_its_protocol() {
        let services = Services::read(
            "# comment\nhttps 443/tcp # http over TLS\nhttps\t443/udp\nother 443/tcp\nx 70000/tcp\nsctp 9/sctp\nbare\n",
        );
        assert_eq!((services.tcp.len(), services.udp.len()), (1, 1));
        assert_eq!(services.tcp[&443], "https");
    }
}
