//! `thread.*`: the thread that did it.

use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;
const EXEC: EventTypes = EventTypes::EXEC;
const NONE: EventTypes = EventTypes::NONE;

fields! {
    /// Fields of the thread.
    ThreadField in Thread {
        CapEffective = "thread.cap_effective", Text, Nothing, One, ALL,
        "Effective capabilities: names with blanks between; of events other than `execve` those when it was executed";
        CapPermitted = "thread.cap_permitted", Text, Nothing, One, ALL,
        "Permitted capabilities, in the same way";
        CapInheritable = "thread.cap_inheritable", Text, Nothing, One, ALL,
        "Inheritable capabilities, in the same way";
        Id = "thread.tid", Number, Nothing, One, ALL,
        "Thread id; of executions that of the process, of connections and datagrams that of who last used the socket";
        IsMain = "thread.ismain", Bool, Nothing, One, ALL, "It is the thread-group leader";
        VirtualId = "thread.vtid", Number, Nothing, One, EXEC, "That id in its own pid namespace";
        Cgroups = "thread.cgroups", Text, Nothing, One, NONE, "Its cgroups";
        Cgroup = "thread.cgroup", Text, Name, One, NONE, "Its cgroup of a controller";
    }
}
