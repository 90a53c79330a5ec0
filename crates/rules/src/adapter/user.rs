//! `user.*` and `group.*`
//!
//! The user database is that of the process's root: the node's, or a container's, which another thread reads. Of
//! a container whose database is not known it is known that 0 is root.

use chandra_event::process::Standing;

use super::{Account, Happening, Names, RecordFacts};
use crate::catalogue::UserField;
use crate::evaluate::Value;

const ROOT: &[u8] = b"root";

impl<'r> RecordFacts<'r> {
    pub(super) fn user_value(&self, field: UserField) -> Value<'r> {
        use UserField as Of;
        let exec = self.exec();
        let real = |of: fn(&chandra_event::process::Process) -> u32| self.process.map(of);
        let effective = match self.happening {
            Happening::Call(call) => Some(call.effective_uid),
            _ => exec.map(|exec| exec.effective_uid),
        };
        let user = effective.or(real(|process| process.uid));
        let group = exec.map(|exec| exec.effective_gid).or(real(|process| process.gid));
        match field {
            Of::Id => Value::known_number(user.map(u64::from)),
            Of::Name => match (user, self.account(user)) {
                (Some(0), None) => Value::Text(ROOT),
                (_, account) => Value::known_text(account.map(|account| account.name.as_bytes())),
            },
            Of::HomeDirectory => of_account(self.account(user), |account| &account.home),
            Of::Shell => of_account(self.account(user), |account| &account.shell),
            Of::GroupId => Value::known_number(group.map(u64::from)),
            Of::GroupName => {
                let known = self.names().and_then(|names| names.groups.get(&group?));
                match (group, known) {
                    (Some(0), None) => Value::Text(ROOT),
                    (_, known) => Value::known_text(known),
                }
            }
            Of::LoginId => {
                self.of_standing(|standing| Value::Number(standing.login_uid.map_or(-1, i64::from)))
            }
            Of::LoginName => self.login_name(),
        }
    }

    /// Who logs in does so on the node.
    fn login_name(&self) -> Value<'r> {
        let Some(Standing { login_uid, .. }) = self.standing() else { return Value::Unknown };
        let Some(login) = login_uid else { return Value::Absent };
        let known = self.node.names.users.get(&login).map(|account| account.name.as_bytes());
        if login == 0 { Value::Text(known.unwrap_or(ROOT)) } else { Value::known_text(known) }
    }

    fn account(&self, user: Option<u32>) -> Option<&'r Account> {
        self.names()?.users.get(&user?)
    }

    /// The database that goes for the process.
    fn names(&self) -> Option<&'r Names> {
        if self.who.container.is_none() && !self.who.is_pending {
            return Some(&self.node.names);
        }
        let own = self.namespaces()?;
        let host = self.node.namespaces.map(|host| host.mnt).filter(|inode| *inode != 0);
        if host == Some(own.mnt) { Some(&self.node.names) } else { self.lineage.names(&own) }
    }
}

fn of_account<'r>(account: Option<&'r Account>, of: fn(&Account) -> &String) -> Value<'r> {
    match account.map(of) {
        // An entry may leave it empty, for what the system has in its place.
        Some(text) if text.is_empty() => Value::Absent,
        text => Value::known_text(text.map(String::as_bytes)),
    }
}
