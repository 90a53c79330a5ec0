//! `chandra agent`: loads all signals that are on, keeps their books, and serves their state.
//!
//! A thread for each signal reads its ring; what it prints goes through one bounded queue to one
//! writer, so that a slow reader of the output costs lines, which are counted, and never records in
//! the kernel.

mod canary;
mod http;
mod metrics;
mod printer;
mod state;
mod watcher;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chandra_doctor::{Check, Problem};
use chandra_signals::{Context, Signal};

use crate::cli::agent::AgentOptions;
use crate::stop::Stop;
use state::{AgentState, SignalState};

/// How often the agent looks whether it should end and whether its own cost is to be measured.
const TICK: Duration = Duration::from_millis(200);

/// Runs until a signal comes or nobody reads what it prints.
pub fn run(options: &AgentOptions) -> Result<(), Problem> {
    let started = Instant::now();
    chandra_loader::kernel_log::capture();
    let stop = Stop::on_signals().map_err(|error| {
        Problem::new(Check::USAGE, "cannot listen for SIGTERM", error, "start it from a shell")
    })?;
    let listener = listen(options)?;
    if let Err(error) = chandra_loader::memory::raise_memlock_limit() {
        eprintln!("warning: the limit on locked memory could not be raised: {error}");
    }
    let context = Context::new(options.load.btf.as_deref());
    let signals = load(options);
    for signal in &signals {
        eprintln!("{}", signal.start_line());
    }
    let state = Arc::new(AgentState::new(signals, listener.local_addr().ok()));
    if let Some(problem) = state.nothing_works() {
        return Err(problem);
    }
    eprintln!(
        "agent: {} after {} ms, serving on http://{}",
        state.tally(),
        started.elapsed().as_millis(),
        state.http.map_or_else(String::new, |address| address.to_string())
    );
    serve(options, &state, &context, listener, &stop)?;
    eprintln!("agent: stopped; {}", state.totals());
    Ok(())
}

/// Loads all signals at once: most of the time goes into the kernel's verifier.
fn load(options: &AgentOptions) -> Vec<SignalState> {
    std::thread::scope(|scope| {
        let load = |signal: &&'static Signal| {
            let signal: &'static Signal = signal;
            scope.spawn(move || SignalState::load(signal, options))
        };
        let threads: Vec<_> = options.signals.iter().map(load).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn listen(options: &AgentOptions) -> Result<TcpListener, Problem> {
    let listener = TcpListener::bind(options.http);
    listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener)).map_err(
        |error| {
            Problem::new(
                Check::PORT,
                format!("cannot serve on {}", options.http),
                error,
                "if another agent has it, take a free one: chandra agent --http 127.0.0.1:0",
            )
        },
    )
}

/// Runs all threads to their end. Readers drain their rings before they end, and the printer ends
/// when the last of them has gone.
fn serve(
    options: &AgentOptions,
    state: &Arc<AgentState>,
    context: &Context,
    listener: TcpListener,
    stop: &Stop,
) -> Result<(), Problem> {
    let mut printed = Ok(());
    std::thread::scope(|scope| {
        let (printer, lines) = printer::queue(options.print);
        let mut readers = Vec::new();
        for index in 0..state.signals.len() {
            let (context, lines) = (context.clone(), lines.clone());
            readers.push(scope.spawn(move || {
                watcher::watch(state, index, &context, &lines, options.format, stop)
            }));
        }
        drop(lines);
        let printer = scope.spawn(move || printer.run(stop));
        scope.spawn(|| http::serve(listener, Arc::clone(state), stop));
        scope.spawn(|| canary::run(state, stop));
        while !stop.is_asked() {
            state.measure_cost();
            state.check_books();
            std::thread::sleep(TICK);
        }
        for reader in readers {
            if let Ok(Err(problem)) = reader.join() {
                eprintln!("{problem}");
            }
        }
        printed = printer.join().unwrap_or(Ok(()));
    });
    printed
}
