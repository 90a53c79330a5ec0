//! `user.*` and `group.*`: whose rights it has.

use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;

fields! {
    /// Fields of the user and the group.
    UserField in User {
        Id = "user.uid", Number, Nothing, One, ALL,
        "Effective user id in the initial user namespace, of system calls the one after them; of other events but `execve` the real one";
        Name = "user.name", Text, Nothing, One, ALL,
        "Name of that user in /etc/passwd of the node; for processes in containers in that of the container, as soon as it has been read";
        LoginId = "user.loginuid", Number, Nothing, One, ALL, "User who logged in (audit's loginuid), -1 if nobody did";
        LoginName = "user.loginname", Text, Nothing, One, ALL, "Name of that user on the node";
        HomeDirectory = "user.homedir", Text, Nothing, One, ALL, "Home directory of that user, as of `user.name`";
        Shell = "user.shell", Text, Nothing, One, ALL, "Login shell of that user, as of `user.name`";
        GroupId = "group.gid", Number, Nothing, One, ALL,
        "Effective group id in the initial user namespace; of events other than `execve` the real one";
        GroupName = "group.name", Text, Nothing, One, ALL, "Name of that group in /etc/group, as of `user.name`";
    }
}
