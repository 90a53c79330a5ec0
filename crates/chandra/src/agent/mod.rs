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
use std::sync::mpsc::channel;
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
    chandra_loader::kernel_log::capture();
    let stop = Stop::on_signals().map_err(|error| {
        Problem::new(Check::USAGE, "cannot listen for SIGTERM", error, "start it from a shell")
    })?;
    let started = Instant::now();
    let listener = listen(options)?;
    if let Err(error) = chandra_loader::memory::raise_memlock_limit() {
        eprintln!("warning: the limit on locked memory could not be raised: {error}");
    }
    let context = Context::new(options.load.btf.as_deref());
    let signals = load(options);
    for signal in &signals {
        eprintln!("{}", signal.start_line());
    }
    let state = Arc::new(AgentState::new(signals, started, listener.local_addr().ok()));
    if let Some(problem) = state.nothing_works() {
        return Err(problem);
    }
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

/// Runs all threads to their end. Readers drain their rings before they end; the printer ends when
/// the last of them has gone, or is left behind when what it writes to takes nothing any more.
fn serve(
    options: &AgentOptions,
    state: &Arc<AgentState>,
    context: &Context,
    listener: TcpListener,
    stop: &Stop,
) -> Result<(), Problem> {
    let (printer, lines) = printer::start(options.print, stop);
    std::thread::scope(|scope| {
        let (ready, listening) = channel();
        for index in 0..state.signals.len() {
            let (context, lines, ready) = (context.clone(), lines.clone(), ready.clone());
            scope.spawn(move || {
                let watched =
                    watcher::watch(state, index, &context, &lines, options.format, ready, stop);
                if let Err(problem) = watched {
                    eprintln!("{problem}");
                }
            });
        }
        drop((ready, lines));
        // Each reader lets go of its end when it listens, or has failed.
        let _: Result<(), _> = listening.recv();
        eprintln!("{}", state.serving_line());
        scope.spawn(|| http::serve(listener, Arc::clone(state), stop));
        scope.spawn(|| canary::run(state, stop));
        while !stop.is_asked() {
            state.measure_cost();
            state.check_books();
            std::thread::sleep(TICK);
        }
    });
    printer.finish()
}
