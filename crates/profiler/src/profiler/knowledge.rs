//! What is known of processes and their executables, kept up to date, and what the kernel is told of it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chandra_loader::clock;
use chandra_loader::sideband::Happened;
use chandra_signals::cpu_profile::ProfileMapping;

use super::Profiler;
use super::settling::Waiting;
use crate::code_lists::CodeLists;
use crate::executables::{Executables, MAX_TABLE_BYTES, Number};
use crate::kernel::Kernel;
use crate::memory::{File, Memory, Piece};
use crate::processes::{Change, Told};
use crate::python::Pythons;

/// Tables that no sample had a frame in for so long are put out.
const UNSEEN: Duration = Duration::from_secs(60);
/// The same where there is little room.
const UNSEEN_IN_NEED: Duration = Duration::from_secs(5);

impl Profiler {
    /// Takes in what the kernel told since the last time.
    pub(super) fn catch_up(&mut self) {
        self.known_until_ns = clock::boottime_ns();
        let Self { sideband, processes, executables, lists, kernel, pythons, outdated, .. } = self;
        sideband.drain(&mut |event| {
            let piece = match event.happened {
                Happened::Mapped(mapped) => Some(Piece::of(&mapped)),
                _ => None,
            };
            open_early(&event.happened, piece.as_ref(), executables, lists);
            follow_pythons(&event.happened, piece.as_ref(), pythons, executables, kernel);
            processes.take(event, piece, &mut |change| heed(change, kernel, outdated));
        });
    }

    /// Frees tables of executables that nothing runs of. Who is sampled there again brings its stack along, as a
    /// process does that is new.
    pub(super) fn put_out_tables(&mut self) {
        let Self { processes, executables, kernel, outdated, .. } = self;
        let is_in_need = executables.table_bytes > MAX_TABLE_BYTES / 4 * 3;
        let unseen = if is_in_need { UNSEEN_IN_NEED } else { UNSEEN };
        let gone = executables.expire(unseen, Instant::now());
        let told: HashSet<Number> =
            gone.iter().filter(|(_, is_told)| *is_told).map(|(number, _)| *number).collect();
        if told.is_empty() {
            return;
        }
        processes
            .untell(|piece| told.contains(&executables.known_number(&piece.file)), &mut |change| {
                heed(change, kernel, outdated)
            });
        told.into_iter().for_each(|number| kernel.forget_table(number));
    }

    /// Tells the kernel of the process of a sample, if it runs the same program still.
    pub(super) fn tell_process(&mut self, waiting: &Waiting) {
        let (pid, start_boottime_ns) = waiting.process;
        let Some(program) = self.processes.last_program(pid) else { return };
        if program.began_ns > waiting.boottime_ns {
            return;
        }
        let exec_id = waiting.exec_id;
        let told = Told { version: program.version, exec_id, start_boottime_ns };
        if program.told == Some(told) {
            return;
        }
        program.told = Some(told);
        let rows = rows(&mut self.executables, &mut self.kernel, pid, &program.memory);
        self.kernel.tell_process(pid, (start_boottime_ns, exec_id), &rows);
    }

    /// Tells the kernel anew of processes whose memory has changed, once the tables are there.
    pub(super) fn tell_outdated(&mut self) {
        for pid in std::mem::take(&mut self.outdated) {
            let Some(program) = self.processes.last_program(pid) else { continue };
            let Some(told) = program.told else { continue };
            let numbers = numbers(&mut self.executables, pid, &program.memory);
            if !numbers.iter().all(|(_, number)| self.executables.is_ready(*number)) {
                self.outdated.insert(pid);
                continue;
            }
            program.told = Some(Told { version: program.version, ..told });
            let rows = rows(&mut self.executables, &mut self.kernel, pid, &program.memory);
            self.kernel.tell_process(pid, (told.start_boottime_ns, told.exec_id), &rows);
        }
    }
}

/// Opens what may be needed for names later, while the process lives that has it.
fn open_early(
    happened: &Happened<'_>,
    piece: Option<&Piece>,
    executables: &mut Executables,
    lists: &mut CodeLists,
) {
    match *happened {
        Happened::Mapped(mapped) => match piece {
            Some(Piece { file: File::Anonymous, .. }) => {
                lists.meet(mapped.pid, &mut executables.roots);
            }
            Some(piece) => executables.foresee(mapped.pid, piece),
            None => {}
        },
        Happened::Forked { pid, .. } | Happened::Executed { pid } => lists.forget(pid),
        Happened::Exited { pid } => lists.end(pid),
        Happened::Lost { .. } => {}
    }
}

/// Tells the probe of interpreters as they come and go.
fn follow_pythons(
    happened: &Happened<'_>,
    piece: Option<&Piece>,
    pythons: &mut Pythons,
    executables: &mut Executables,
    kernel: &mut Kernel,
) {
    match *happened {
        Happened::Mapped(mapped) => {
            if let Some(piece) = piece {
                pythons.meet(mapped.pid, piece, executables, kernel);
            }
        }
        Happened::Forked { pid, parent } => pythons.fork(pid, parent, kernel),
        Happened::Executed { pid } => pythons.forget(pid, kernel),
        // What ended lingers, for samples that come late; what was lost is looked for when it is sampled.
        Happened::Exited { .. } | Happened::Lost { .. } => {}
    }
}

pub(super) fn heed(change: Change, kernel: &mut Kernel, outdated: &mut HashSet<u32>) {
    match change {
        Change::Outdated(pid) => drop(outdated.insert(pid)),
        Change::Gone(pid) => kernel.forget_process(pid),
    }
}

/// By the start of each piece, the number of what lies there.
pub(super) fn numbers(
    executables: &mut Executables,
    pid: u32,
    memory: &Memory,
) -> Vec<(u64, Number)> {
    let number = |piece| executables.number(pid, piece);
    let pieces = memory.pieces();
    pieces.iter().map(|piece| piece.start).zip(pieces.iter().map(number)).collect()
}

/// A process's memory as the probe knows it; tables that the probe has not got yet are given to it.
fn rows(
    executables: &mut Executables,
    kernel: &mut Kernel,
    pid: u32,
    memory: &Memory,
) -> Vec<ProfileMapping> {
    let row = |piece: &Piece| {
        let number = executables.number(pid, piece);
        ProfileMapping {
            start: piece.start,
            end: piece.end,
            offset: piece.offset,
            executable: number.into(),
            table_version: executables.tell_table(number, kernel).into(),
        }
    };
    memory.pieces().iter().map(row).collect()
}
