//! Interrupts of the whole machine, against the kernel's own counts of them.

use std::fs::File;
use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Instant;

use chandra_tests::disk::Disk;
use chandra_tests::interrupts::{hard_line, interrupts, soft_name};
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;

use crate::hooks::Hooks;

const DATAGRAMS: usize = 500;

/// By number and name: no less than came while it was traced for sure, and no more than came around that.
pub fn handlers(chandra: &Path, hooks: &mut Hooks) {
    let (around, started) = (interrupts(), Instant::now());
    let trace = Trace::start_program(chandra, &["irq"]);
    let within = interrupts();
    have_interrupts();
    let until = interrupts();
    let outcome = trace.stop();
    let (last, elapsed) = (interrupts(), started.elapsed());
    hooks.served(&outcome);
    let cpus = std::thread::available_parallelism().unwrap().get() as u128;
    for (hook, operation) in [("irq_handler", "hard"), ("softirq", "soft")] {
        let mut problems = Vec::new();
        let mut grown = 0;
        for ((_, number), after) in until.iter().filter(|((its, _), _)| *its == operation) {
            let key = (operation, *number);
            let of =
                |all: &chandra_tests::interrupts::Interrupts| all.get(&key).copied().unwrap_or(0);
            let (least, most) = (after - of(&within), of(&last) - of(&around));
            let is_its = |row: &&chandra_tests::record::Record| {
                row.text("operation") == Some(operation) && row.number("irq") == Some(*number)
            };
            let rows: Vec<_> = outcome.records.iter().filter(is_its).collect();
            let number_of =
                |row: &chandra_tests::record::Record, path: &str| row.number(path).unwrap();
            let counted: u64 = rows.iter().map(|row| number_of(row, "histogram.count")).sum();
            // Devices may share a number, and then each has a handler of its own.
            let handlers = rows.len().max(1) as u64;
            if counted < least || counted > most * handlers {
                problems
                    .push(format!("{operation} {number}: {counted}, in truth {least} to {most}"));
            }
            for row in &rows {
                let name = row.text("name").unwrap_or_default();
                let is_named = match operation {
                    "soft" => soft_name(*number) == name,
                    _ => !name.is_empty() && hard_line(*number).contains(name),
                };
                let sum = u128::from(number_of(row, "histogram.sum_ns"));
                if !is_named || sum == 0 || sum > elapsed.as_nanos() * cpus {
                    problems.push(format!("{elapsed:?} on {cpus}: {}", row.0));
                }
            }
            grown += least;
        }
        if grown == 0 {
            problems.push(format!("no {operation} interrupt came"));
        }
        let outcome = if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) };
        hooks.compared(hook, outcome);
    }
}

/// Those of a disk, of packets and of timers.
fn have_interrupts() {
    let (one, other) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    for _ in 0..DATAGRAMS {
        one.send_to(b"datagram", other.local_addr().unwrap()).unwrap();
    }
    let scratch = Scratch::new();
    let mut file = File::create(scratch.at("file")).unwrap();
    for _ in 0..20 {
        file.write_all(&[b'x'; 4096]).unwrap();
        file.sync_all().unwrap();
    }
    if let Some(disk) = Disk::new() {
        disk.write(20);
    }
}
