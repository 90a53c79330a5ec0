//! Filters by whose something is, as whatever watches has them.

use chandra_doctor::Problem;
use chandra_signals::filter::{COMM_BYTES, Filter};
use clap::Args;

use super::common::{bad_value, numbers};
use crate::cgroup;

/// Options about whose.
#[derive(Debug, Args)]
pub struct OwnerArguments {
    /// Only these processes
    #[arg(short, long, value_name = "PID", value_delimiter = ',')]
    pid: Vec<String>,
    /// Only processes of this name (15 bytes, as in /proc/PID/comm)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    comm: Vec<String>,
    /// Only processes of these users
    #[arg(long, value_name = "UID", value_delimiter = ',')]
    uid: Vec<String>,
    /// Only processes of this cgroup and those below it (path or id)
    #[arg(long, value_name = "CGROUP", value_delimiter = ',')]
    cgroup: Vec<String>,
}

impl OwnerArguments {
    /// Each by its name, with whether it has no values.
    pub fn are_empty(&self) -> [(&'static str, bool); 4] {
        [
            ("pid", self.pid.is_empty()),
            ("comm", self.comm.is_empty()),
            ("uid", self.uid.is_empty()),
            ("cgroup", self.cgroup.is_empty()),
        ]
    }

    /// What passes, by these alone.
    pub fn filter(&self) -> Result<Filter, Problem> {
        let cgroups = self.cgroup.iter().map(|text| cgroup_id(text)).collect::<Result<_, _>>()?;
        Ok(Filter { cgroups, ..self.filter_beside_cgroups()? })
    }

    /// What passes on another machine, whose cgroups are not known here: they are given as they were typed.
    pub fn filter_elsewhere(&self) -> Result<(Filter, &[String]), Problem> {
        Ok((self.filter_beside_cgroups()?, &self.cgroup))
    }

    fn filter_beside_cgroups(&self) -> Result<Filter, Problem> {
        let pid_why = "no process id: a number from 1 to 4194304";
        Ok(Filter {
            pids: numbers("--pid", &self.pid, 1..=4_194_304, pid_why, "--pid 1234")?,
            comms: self.comm.iter().map(|comm| process_name(comm)).collect::<Result<_, _>>()?,
            uids: numbers("--uid", &self.uid, 0..=u32::MAX, "no user id: a number", "--uid 1000")?,
            ..Filter::default()
        })
    }
}

fn process_name(comm: &str) -> Result<String, Problem> {
    let fits = (1..=COMM_BYTES).contains(&comm.len());
    let why = "no process name: the kernel keeps 1 to 15 bytes of one";
    fits.then(|| comm.to_owned()).ok_or_else(|| bad_value("--comm", comm, why, "--comm nginx"))
}

fn cgroup_id(text: &str) -> Result<(u32, u64), Problem> {
    cgroup::find(text).map_err(|error| {
        let why = format!("no cgroup: {error}");
        let next = "--cgroup /system.slice/cron.service (see /proc/PID/cgroup)";
        bad_value("--cgroup", text, &why, next)
    })
}
