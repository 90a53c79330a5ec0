//! A program that runs, and can be stopped at whatever instruction it is at: its registers, its memory, its
//! mappings, walked with tables of the files that it has mapped.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chandra_tests::patience::wait_for;
use chandra_unwind::format::Table;
use chandra_unwind::row::Base;
use chandra_unwind::walk::{Machine, Mapping, Registers, Walk, Walked};
use chandra_unwind::{Limits, build};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A program of ours that runs until this is dropped.
pub struct Running {
    child: Child,
    thread: Pid,
    memory: File,
    mappings: Vec<Executable>,
    tables: HashMap<String, Table>,
    /// Functions of the program by place, in order.
    names: Vec<(u64, String)>,
    program: String,
    /// Addresses of two of its variables.
    current: Option<u64>,
    sink: Option<u64>,
}

/// An executable mapping.
struct Executable {
    start: u64,
    end: u64,
    offset: u64,
    file: String,
}

/// What a thread was at.
#[derive(Debug)]
#[expect(dead_code, reason = "addresses and registers are for who reads why a test failed")]
pub struct Sample {
    /// The name of each frame's function, of the program alone, innermost first.
    pub names: Vec<Option<String>>,
    /// The address of each frame, to look names up by.
    pub addresses: Vec<u64>,
    /// How the walk ended.
    pub walked: Walked,
    /// The program's variable `current`, if it has one.
    pub current: u8,
    pub registers: Registers,
}

impl Running {
    /// Starts a program, and waits until it says "ready".
    pub fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "ready");
        let id = child.id();
        let memory = File::open(format!("/proc/{id}/mem")).expect("its memory");
        let maps = std::fs::read_to_string(format!("/proc/{id}/maps")).expect("its mappings");
        let mappings: Vec<_> = maps.lines().filter_map(executable).collect();
        let name = program.to_str().expect("UTF-8").to_owned();
        let mut running = Self {
            child,
            thread: Pid::from_raw(id as i32),
            memory,
            mappings,
            tables: HashMap::new(),
            names: Vec::new(),
            program: name,
            current: None,
            sink: None,
        };
        running.read_tables();
        running.read_names(program);
        running
    }

    /// Samples are those of the only thread that is not the first.
    pub fn of_second_thread(mut self) -> Self {
        let tasks = format!("/proc/{}/task", self.child.id());
        self.thread = wait_for("a second thread", || {
            let tasks = std::fs::read_dir(&tasks).ok()?;
            let mut tasks = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
            tasks.find(|task| *task != self.child.id() as i32).map(Pid::from_raw)
        });
        self
    }

    /// Waits until one of the program's leaves runs, or where it has none, its loop.
    pub fn wait_for_leaf(&self) {
        let sink = self.sink.expect("the variable sink");
        let before = self.word(sink);
        let goes_on = |now: &u64| *now > 0 && Some(*now) != before;
        wait_for("the program to do what it is for", || self.word(sink).filter(goes_on));
    }

    /// A word of its memory.
    pub fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.memory.read_exact_at(&mut bytes, address).ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    /// Stops it for as long as it takes to walk its stack.
    pub fn sample(&self, max_frames: usize) -> Sample {
        ptrace::attach(self.thread).expect("it can be stopped");
        // Go interrupts its own threads: such a signal may come first.
        loop {
            match waitpid(self.thread, Some(WaitPidFlag::__WALL)).expect("it stops") {
                WaitStatus::Stopped(_, Signal::SIGSTOP) => break,
                WaitStatus::Stopped(_, other) => {
                    ptrace::cont(self.thread, other).expect("it goes on");
                }
                status => panic!("{status:?}"),
            }
        }
        let registers = registers(&ptrace::getregs(self.thread).expect("its registers"));
        let walk = Walk { machine: Machine::X86_64, max_frames, authentication_bits: 0 };
        let mut frames = Vec::new();
        let read = |address| self.word(address);
        let walked = walk.run(&registers, read, |pc| self.mapping(pc), &mut frames);
        let current = self.current.and_then(|address| self.word(address)).unwrap_or_default() as u8;
        ptrace::detach(self.thread, None).expect("it goes on");
        let addresses: Vec<_> = frames.iter().map(|frame| frame.address()).collect();
        let names = addresses.iter().map(|address| self.name(*address)).collect();
        Sample { names, addresses, walked, current, registers }
    }

    fn mapping(&self, pc: u64) -> Option<Mapping<'_>> {
        let mapping = self.executable(pc)?;
        let table = self.tables.get(&mapping.file).map(Table::view);
        Some(Mapping { start: mapping.start, offset: mapping.offset, table })
    }

    fn executable(&self, pc: u64) -> Option<&Executable> {
        self.mappings.iter().find(|mapping| (mapping.start..mapping.end).contains(&pc))
    }

    fn read_tables(&mut self) {
        for mapping in &self.mappings {
            let content = match &*mapping.file {
                "[vdso]" => {
                    let mut image = vec![0; (mapping.end - mapping.start) as usize];
                    self.memory.read_exact_at(&mut image, mapping.start).expect("the vDSO");
                    image
                }
                file => match std::fs::read(file) {
                    Ok(content) => content,
                    Err(_) => continue,
                },
            };
            let built = build(&content, &Limits::default()).expect(&mapping.file);
            self.tables.insert(mapping.file.clone(), built.table);
        }
    }

    /// The program's functions as `nm` has them, by place, and where `current` is.
    fn read_names(&mut self, program: &Path) {
        let output = Command::new("nm").arg("--defined-only").arg(program).output().expect("nm");
        let headers = Command::new("readelf").args(["-lW"]).arg(program).output().expect("readelf");
        let headers = String::from_utf8_lossy(&headers.stdout).into_owned();
        let number = |text: &str| {
            u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hexadecimal digits")
        };
        let loads: Vec<[u64; 3]> = headers
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|line| line.first() == Some(&"LOAD"))
            .map(|line| [line[2], line[1], line[5]].map(number))
            .collect();
        let mine = self.mappings.iter().find(|mapping| mapping.file == self.program);
        let mine = mine.expect("it is mapped");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut words = line.split_whitespace();
            let (Some(address), Some(kind), Some(name)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let address = number(address);
            let mut inside =
                loads.iter().filter(|[start, _, bytes]| (*start..start + bytes).contains(&address));
            let Some([start, offset, _]) = inside.next() else { continue };
            if matches!(kind, "T" | "t") {
                self.names.push((address - start + offset, name.to_owned()));
            } else if matches!(name, "current" | "sink" | "main.current" | "main.sink") {
                // All segments are moved by the same distance.
                let code = loads
                    .iter()
                    .find(|[_, offset, bytes]| (*offset..offset + bytes).contains(&mine.offset));
                let [start, offset, _] = code.expect("its code");
                let code = start - offset + mine.offset;
                let address = Some(address.wrapping_sub(code).wrapping_add(mine.start));
                *(if name.ends_with("sink") { &mut self.sink } else { &mut self.current }) =
                    address;
            }
        }
        self.names.sort();
    }

    fn name(&self, address: u64) -> Option<String> {
        let mapping = self.executable(address).filter(|mapping| mapping.file == self.program)?;
        let place = address - mapping.start + mapping.offset;
        let before = self.names.partition_point(|(start, _)| *start <= place);
        self.names.get(before.checked_sub(1)?).map(|(_, name)| name.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn executable(line: &str) -> Option<Executable> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [range, rights, offset, _, _, file] = *fields.first_chunk()?;
    let (start, end) = range.split_once('-')?;
    let [start, end, offset] = [start, end, offset].map(|text| u64::from_str_radix(text, 16).ok());
    let (start, end, offset) = (start?, end?, offset?);
    rights.contains('x').then(|| Executable { start, end, offset, file: file.to_owned() })
}

fn registers(saved: &nix::libc::user_regs_struct) -> Registers {
    let mut registers =
        Registers { pc: saved.rip, sp: saved.rsp, fp: saved.rbp, ..Registers::default() };
    let others = [
        (Base::Rax, saved.rax),
        (Base::Rbx, saved.rbx),
        (Base::Rcx, saved.rcx),
        (Base::Rdx, saved.rdx),
        (Base::Rsi, saved.rsi),
        (Base::Rdi, saved.rdi),
        (Base::R8, saved.r8),
        (Base::R9, saved.r9),
        (Base::R10, saved.r10),
        (Base::R11, saved.r11),
        (Base::R12, saved.r12),
        (Base::R13, saved.r13),
        (Base::R14, saved.r14),
        (Base::R15, saved.r15),
    ];
    for (base, value) in others {
        registers.others[base as usize] = value;
    }
    registers
}
