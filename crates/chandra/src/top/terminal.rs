//! The terminal: keys come from it, the screen goes to it, and whatever happens it is given back as it was.

use std::io::{self, IsTerminal, Stdout, stdin, stdout};
use std::panic;
use std::sync::Once;
use std::time::Duration;

use chandra_doctor::{Check, Problem};
use chandra_top::{Action, Key, Screen, draw};
use jiff::Timestamp;
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::{Hide, Show};
use ratatui_crossterm::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui_crossterm::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui_crossterm::crossterm::{execute, terminal};

use super::display::Intervals;
use crate::cli::common::Color;
use crate::cli::top::TopOptions;
use crate::stop::Stop;

/// How long a key may have to wait for the end, at most.
const LOOK: Duration = Duration::from_millis(100);

/// Whether there is a terminal that can be drawn on.
pub fn check() -> Result<(), Problem> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    let why = match (stdin().is_terminal() && stdout().is_terminal(), is_dumb) {
        (true, false) => return Ok(()),
        (false, _) => "standard input and output are not both a terminal",
        (true, true) => "TERM says that this terminal cannot be drawn on",
    };
    let next = "take one interval as a table, or all of them as JSON: chandra top --once, chandra top -o json";
    Err(Problem::usage(Check::OUTPUT, "cannot draw a screen here", why, next))
}

/// Shows intervals and does what keys ask for, until the end.
pub fn run(
    options: &TopOptions,
    intervals: &mut Intervals<'_>,
    stop: &Stop,
) -> Result<(), Problem> {
    let mut screen = Screen::new(intervals.source.name(), options.first_view(), options.by);
    screen.filter.clone_from(&options.filter);
    if let Some(sort) = options.sort {
        screen.sort_by(sort);
    }
    let has_colors = Color::Auto.is_on(true);
    let mut terminal = Drawn::enter().map_err(|error| unusable(&error))?;
    let shown = show(&mut screen, intervals, stop, &mut terminal, has_colors);
    shown.map_err(|error| unusable(&error))
}

fn show(
    screen: &mut Screen,
    intervals: &mut Intervals<'_>,
    stop: &Stop,
    terminal: &mut Drawn,
    has_colors: bool,
) -> io::Result<()> {
    terminal.draw(screen, has_colors)?;
    while !stop.is_asked() && !intervals.source.is_over() {
        if intervals.left().is_zero() {
            let interval = intervals.next(screen.by);
            screen.show(interval, Timestamp::now().strftime("%H:%M:%SZ").to_string());
            terminal.draw(screen, has_colors)?;
        }
        if !event::poll(intervals.left().min(LOOK))? {
            continue;
        }
        let action = match event::read()? {
            Event::Key(event) if event.kind != KeyEventKind::Release => {
                key(event.code, event.modifiers).map(|key| screen.press(key))
            }
            Event::Resize(..) => Some(Action::Draw),
            _ => None,
        };
        match action {
            Some(Action::Quit) => break,
            Some(Action::Draw) => terminal.draw(screen, has_colors)?,
            None => {}
        }
    }
    Ok(())
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    Some(match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char(character)
            if !modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
        {
            Key::Char(character)
        }
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        _ => return None,
    })
}

/// A terminal that is drawn on; given back when this goes, and before a panic says what it has to say.
struct Drawn(Terminal<CrosstermBackend<Stdout>>);

impl Drawn {
    fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        enable_raw_mode()?;
        // From here on it is given back, whatever fails.
        let entered = execute!(stdout(), EnterAlternateScreen, Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        entered.map(Self).inspect_err(|_| give_back())
    }

    fn draw(&mut self, screen: &Screen, has_colors: bool) -> io::Result<()> {
        self.0.draw(|frame| draw::draw(frame, screen, has_colors)).map(drop)
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        give_back();
    }
}

/// Nothing can be done where that fails.
fn give_back() {
    if terminal::is_raw_mode_enabled().unwrap_or_default() {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

fn unusable(error: &io::Error) -> Problem {
    Problem::new(
        Check::OUTPUT,
        "cannot use the terminal",
        error,
        "take one interval as a table: chandra top --once",
    )
}
