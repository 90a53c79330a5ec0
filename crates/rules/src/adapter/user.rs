//! `user.*` and `group.*`

use std::collections::HashMap;

use super::{Happening, RecordFacts};
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
        let login = exec.map(|exec| exec.login_uid);
        let names = &self.node.names;
        match field {
            Of::Id => Value::known_number(user.map(u64::from)),
            Of::Name => self.name_of(user, &names.users),
            Of::GroupId => Value::known_number(group.map(u64::from)),
            Of::GroupName => self.name_of(group, &names.groups),
            Of::LoginId => match login {
                Some(login) => Value::Number(login.map_or(-1, i64::from)),
                None => Value::Absent,
            },
            Of::LoginName => match login.flatten() {
                Some(login) => self.name_of(Some(login), &names.users),
                None => Value::Absent,
            },
            // Not answered, as the catalogue says.
            _ => Value::Unknown,
        }
    }

    /// A name of the node's database, which says nothing of a container's users but that 0 is root.
    fn name_of(&self, number: Option<u32>, names: &'r HashMap<u32, String>) -> Value<'r> {
        let is_in_container = self.who.container.is_some() || self.who.is_pending;
        match number {
            Some(0) => Value::Text(ROOT),
            Some(number) if !is_in_container => Value::known_text(names.get(&number)),
            _ => Value::Unknown,
        }
    }
}
