//! `user.*` and `group.*`: whose rights it has.

use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;
const EXEC: EventTypes = EventTypes::EXEC;
const NONE: EventTypes = EventTypes::NONE;

fields! {
    /// Fields of the user and the group.
    UserField in User {
        Id = "user.uid", Number, Nothing, One, ALL,
        "Effective user id in the initial user namespace, of system calls the one after them; of other events but `execve` the real one";
        Name = "user.name", Text, Nothing, One, ALL,
        "Name of that user on the node; for processes in containers `root` only, because their user database is not read";
        LoginId = "user.loginuid", Number, Nothing, One, EXEC, "User who logged in (audit's loginuid), -1 if nobody did";
        LoginName = "user.loginname", Text, Nothing, One, EXEC, "Name of that user on the node";
        HomeDirectory = "user.homedir", Text, Nothing, One, NONE, "Home directory";
        Shell = "user.shell", Text, Nothing, One, NONE, "Login shell";
        GroupId = "group.gid", Number, Nothing, One, ALL,
        "Effective group id in the initial user namespace; of events other than `execve` the real one";
        GroupName = "group.name", Text, Nothing, One, ALL, "Name of that group on the node, as of `user.name`";
    }
}
