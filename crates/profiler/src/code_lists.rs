//! Lists of code that processes made at run time (`/tmp/perf-PID.map`): found while they live, read at the end.
//!
//! A list lies in the root of its process, under the number that the process has in its own pid namespace. Both can
//! be asked for only while it lives. So a process is looked at when it maps code that is in no file; its
//! list is opened as soon as it is there, and can be read even if it is removed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::sync::Arc;

use chandra_symbols::open_inside;
use chandra_symbols::perf_map::{PerfMap, namespace_pid};

use crate::roots::Roots;

/// Processes whose lists are looked for.
const MAX_LISTS: usize = 1024;
/// Lists that are kept open.
const MAX_OPEN: usize = 256;

/// A process, told apart from others that had its number: its pid and when it started, in ns since boot.
pub type ProcessKey = (u32, u64);

/// Where the list of a process is.
#[derive(Debug)]
pub struct CodeList {
    root: Arc<File>,
    namespace_pid: u32,
    file: Option<File>,
}

impl CodeList {
    /// Of a process that lives.
    fn of(pid: u32, roots: &mut Roots) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let namespace_pid = namespace_pid(&status).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { root: roots.of(pid)?, namespace_pid, file: None })
    }

    /// Opens it, if it is there by now.
    fn open(&mut self) -> bool {
        if self.file.is_none() {
            self.file = open_inside(&self.root, &PerfMap::path(self.namespace_pid)).ok();
        }
        self.file.is_some()
    }

    /// Reads it; none where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(mut self) -> io::Result<Option<PerfMap>> {
        self.open();
        let Some(mut file) = self.file else { return Ok(None) };
        // Others read it before.
        file.rewind()?;
        let mut map = PerfMap::default();
        map.update_from(file)?;
        Ok(Some(map))
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct CodeLists {
    /// By pid, of processes that mapped such code; it is not known when they started.
    met: HashMap<u32, CodeList>,
    /// Of those that were sampled.
    sampled: HashMap<ProcessKey, Option<CodeList>>,
    open: usize,
    /// Processes that there was no room for.
    pub refused: u64,
}

impl CodeLists {
    /// A process has code that is in no file.
    pub fn meet(&mut self, pid: u32, roots: &mut Roots) {
        if self.met.contains_key(&pid) {
            return;
        }
        if self.met.len() >= MAX_LISTS {
            self.refused += 1;
            return;
        }
        if let Ok(list) = CodeList::of(pid, roots) {
            self.met.insert(pid, list);
            self.open_of(pid);
        }
    }

    /// A process was sampled in such code.
    pub fn sample(&mut self, process: ProcessKey, roots: &mut Roots) {
        if self.sampled.contains_key(&process) {
            return;
        }
        if self.sampled.len() >= MAX_LISTS {
            self.refused += 1;
            return;
        }
        let (pid, _) = process;
        self.meet(pid, roots);
        self.sampled.insert(process, self.met.remove(&pid));
        self.open_missing();
    }

    /// A process begins with nothing, or it ended a while ago: who has its pid next is another.
    pub fn forget(&mut self, pid: u32) {
        self.met.remove(&pid);
    }

    /// A process ended: its list is as long as it gets.
    pub fn end(&mut self, pid: u32) {
        self.open_of(pid);
        let mut sampled = self.sampled.iter_mut().filter(|((of, _), _)| *of == pid);
        if sampled.any(|(_, list)| list.as_ref().is_some_and(|list| list.file.is_none())) {
            self.open_missing();
        }
    }

    /// Opens lists that were not there before.
    pub fn open_missing(&mut self) {
        let all = self.sampled.values_mut().flatten().chain(self.met.values_mut());
        self.open = all.filter(|list| list.file.is_some()).count();
        for list in self.sampled.values_mut().flatten().filter(|list| list.file.is_none()) {
            if self.open >= MAX_OPEN {
                break;
            }
            self.open += usize::from(list.open());
        }
    }

    /// The list of a process, to be read.
    pub fn get(&self, process: ProcessKey) -> Option<CodeList> {
        let CodeList { root, namespace_pid, file } = self.sampled.get(&process)?.as_ref()?;
        let file = file.as_ref().and_then(|file| file.try_clone().ok());
        Some(CodeList { root: Arc::clone(root), namespace_pid: *namespace_pid, file })
    }

    fn open_of(&mut self, pid: u32) {
        if let Some(list) = self.met.get_mut(&pid)
            && list.file.is_none()
            && self.open < MAX_OPEN
        {
            self.open += usize::from(list.open());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_was_opened_is_read_even_when_it_is_removed() {
        let pid = std::process::id();
        let path = format!("/tmp/perf-{pid}.map");
        let (mut lists, mut roots) = (CodeLists::default(), Roots::default());
        let process = (pid, 1);
        lists.sample(process, &mut roots);
        fs::write(&path, "1000 10 made\n").unwrap();
        lists.open_missing();
        fs::remove_file(&path).unwrap();
        let map = lists.get(process).unwrap().read().unwrap().unwrap();
        assert_eq!(map.find(0x100f), Some(("made", 0x1000)));
        lists.sample((pid, 2), &mut roots);
        assert!(lists.get((pid, 2)).unwrap().read().unwrap().is_none(), "another one's");
        assert!(lists.get((pid, 3)).is_none());
    }
}
